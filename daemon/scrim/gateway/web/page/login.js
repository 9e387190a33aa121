// Asks for the password where scrim wants one.

import { send } from "./api.js";
import { $, clearErrors, inWords, showError } from "./dom.js";

export function lock() {
  if (!$("login").hidden) return;
  $("page").hidden = $("state").hidden = $("log-out").hidden = true;
  $("login").hidden = false;
  document.title = "Sign in · scrim";
  $("password").focus();
}

export function unlock(isAsked) {
  $("log-out").hidden = !isAsked;
  if ($("login").hidden) return;
  $("page").hidden = $("state").hidden = false;
  $("login").hidden = true;
}

export function onLogin(done) {
  $("login-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors($("login-form"));
    const answer = await send("/api/login", { password: $("password").value });
    if (answer.ok) {
      $("password").value = "";
      return done();
    }
    showError($("login-error"), answer.errors.map((error) => inWords(error)).join(" "));
    $("password").select();
  });
  $("log-out").addEventListener("click", async () => {
    await send("/api/logout");
    lock();
  });
}
