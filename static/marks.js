// Words that are to be seen: a text in pieces, those that were looked for marked. Text stays text.
import { el } from "./page.js";

export const unmarked = (text) => [text ?? ""];

/** A function that makes nodes of a text with these words marked, compared without regard to case. */
export function marker(words) {
  const wanted = words.map((word) => word.toLowerCase()).filter(Boolean);
  if (!wanted.length) return unmarked;
  return (text) => {
    const whole = text ?? "", low = whole.toLowerCase();
    // A few letters change their length with their case; then places in the one are none in the other.
    if (low.length !== whole.length) return [whole];
    const pieces = [];
    for (let from = 0; from < whole.length; ) {
      const hit = wanted.map((word) => ({ at: low.indexOf(word, from), length: word.length })).filter(({ at }) => at >= 0)
        .sort((a, b) => a.at - b.at || b.length - a.length)[0];
      if (!hit) { pieces.push(whole.slice(from)); break; }
      pieces.push(whole.slice(from, hit.at), el("mark", {}, whole.slice(hit.at, hit.at + hit.length)));
      from = hit.at + hit.length;
    }
    return pieces.filter((piece) => piece !== "");
  };
}

/** The words of a line that a person typed. */
export const split = (line) => line.trim().split(/[\s,，、]+/u).filter(Boolean);
