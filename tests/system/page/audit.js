// What is wrong with the page as it stands, by rule; after the Web Content Accessibility Guidelines 2.2, level AA.
() => {
  const all = (selector) => [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility());
  const html = (nodes) => nodes.map((node) => node.outerHTML.slice(0, 300));

  const parse = (color) => (color.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const linear = (part) => ((part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if ((color[3] ?? 1) === 1) return color;
    }
    return [255, 255, 255];
  };
  const isOff = (node) => node.closest("[disabled], fieldset:disabled");
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  const box = (node) => node.getBoundingClientRect();

  const rules = {
    // 1.4.3. What stands on pictures has a ground that cannot be computed.
    "text is read against its ground": () =>
      html(
        all("body *")
          .filter((node) => hasText(node) && !isOff(node))
          .filter((node) => !node.closest("svg, option, noscript, .unseen, .tile .title, datalist, .skip"))
          .filter((node) => ratio(parse(getComputedStyle(node).color), ground(node)) < 4.5),
      ),
    // 1.4.11
    "fields are seen against their ground": () =>
      html(
        all("input, select, [role=switch]")
          .filter((node) => !isOff(node) && !["radio", "range", "file"].includes(node.type))
          .filter((node) => ratio(parse(getComputedStyle(node).borderTopColor), ground(node.parentElement)) < 3),
      ),
    // 2.5.8
    "targets are large enough": () =>
      html(
        all("button, input, select, summary, a, label.kind")
          .filter((node) => !node.matches(".unseen, .skip"))
          .filter((node) => box(node).width < 24 || box(node).height < 24),
      ),
    // 1.4.10
    "nothing is wider than the window": () => (document.documentElement.scrollWidth <= innerWidth ? [] : [document.documentElement.scrollWidth]),
    "nothing reaches out of its card": () =>
      html(
        all(".card *, .strip *")
          .filter((node) => !node.closest("svg, .unseen"))
          .filter((node) => box(node).right > box(node.closest(".card, .strip")).right + 1),
      ),
    // 4.1.1, as far as it still matters
    "ids are given once": () => {
      const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
      return ids.filter((id, index) => ids.indexOf(id) !== index);
    },
    "what is referred to exists": () =>
      ["aria-labelledby", "aria-describedby", "for", "list"]
        .flatMap((name) => [...document.querySelectorAll(`[${name}]`)].flatMap((node) => node.getAttribute(name).split(" ")))
        .filter((id) => id && !document.getElementById(id)),
    // 1.3.1, 2.4.6
    "headings go down step by step": () => {
      const levels = all("h1, h2, h3, h4").map((node) => Number(node.tagName[1]));
      const isOne = levels.filter((level) => level === 1).length === 1;
      return isOne ? levels.filter((level, index) => level > (levels[index - 1] ?? 0) + 1) : [levels.join(" ")];
    },
    "there is one of each landmark": () => ["header", "main", "footer"].filter((name) => all(`body > ${name}`).length !== 1),
    // 3.1.1, 2.4.2, 1.1.1, 2.4.3
    "language, title, texts for pictures, natural order": () =>
      [
        document.documentElement.lang ? "" : "lang",
        document.title ? "" : "title",
        document.querySelector("img:not([alt])")?.outerHTML,
        document.querySelector("[tabindex]:not([tabindex='0'], [tabindex='-1'])")?.outerHTML,
      ].filter(Boolean),
    // 4.1.3
    "there is somewhere to hear of changes": () => (document.querySelectorAll("[role=status], [role=alert]").length >= 2 ? [] : ["no live region"]),
  };
  return Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, rule()]));
}
