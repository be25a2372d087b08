// Follows a login: each call waits at the server until something has happened, so nothing is asked in vain.
import { at } from "./page.js";

const AGAIN = 3000;
const SHOWN = 1500;
const login = document.getElementById("login");
const line = document.getElementById("login-state");

async function follow() {
  let seen = login.dataset.state;
  for (;;) {
    let state;
    try {
      const answer = await fetch(at(`/live/api/admin/accounts/login/${login.dataset.key}/?seen=${seen}`));
      const body = await answer.json();
      if (answer.status === 404) state = { state: "expired" };
      else if (!body.success) throw new Error(body.error);
      else state = body.data;
    } catch {
      line.textContent = login.dataset.lost;
      await new Promise((again) => setTimeout(again, AGAIN));
      continue;
    }
    seen = login.dataset.state = state.state;
    if (seen === "waiting") continue;
    const more = state.name ?? state.why;
    line.textContent = login.dataset[seen] + (more ? `: ${more}` : "");
    if (seen === "scanned") continue;
    login.querySelector(".login-code").replaceChildren();
    if (seen === "confirmed") setTimeout(() => location.replace(at("/live/admin/?done=logged-in")), SHOWN);
    return;
  }
}

if (login) follow();
