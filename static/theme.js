// Runs before the page is painted: light or dark, as chosen or as the system prefers. Without scripts the
// server's cookie decides, else light.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("blm_theme"); } catch { /* storage may be forbidden */ }
  if (chosen !== "light" && chosen !== "dark") chosen = root.dataset.bsTheme || null;
  const apply = () => { root.dataset.bsTheme = chosen || (dark.matches ? "dark" : "light"); };
  apply();
  dark.addEventListener("change", apply);
  window.blmTheme = {
    toggle() {
      chosen = root.dataset.bsTheme === "dark" ? "light" : "dark";
      try { localStorage.setItem("blm_theme", chosen); } catch { /* the cookie remembers it */ }
      document.cookie = `blm_theme=${chosen}; path=/; max-age=31536000; samesite=lax`;
      apply();
      dispatchEvent(new Event("themechange"));
    },
  };
})();
