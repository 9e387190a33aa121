// Changes go to scrim one after the other, in the order in which they were made.

import { send } from "./api.js";

let queue = Promise.resolve();
let waiting = 0;
const heard = [];

// Called after each change, with the answer and what was asked for.
export const onChange = (listener) => heard.push(listener);

export const isChanging = () => waiting > 0;

export function change(patch, source) {
  return changed(() => send("/api/settings", patch), source);
}

export function changed(request, source) {
  waiting += 1;
  const answer = queue.then(request).finally(() => {
    waiting -= 1;
  });
  const told = answer.then((found) => Promise.all(heard.map((listener) => listener(found, source))));
  queue = told.catch(() => {}); // one that fails must not hold up the next
  return told.then(() => answer);
}
