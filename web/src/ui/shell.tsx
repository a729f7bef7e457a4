// What stands around every page: header, navigation, shortcuts, the news of a lost connection.
import { useEffect, useRef, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useStatus } from "../api/status_context";
import type { TextKey } from "../i18n/en";
import { AutoIcon, DashboardIcon, ModelIcon, MoonIcon, OverviewIcon, QueryIcon, SunIcon } from "./icons";
import { WithCode } from "./parts";
import { usePreferences } from "./preferences";

const kPages = [
  { path: "/", name: "overview", key: "o", Icon: OverviewIcon },
  { path: "/models", name: "models", key: "m", Icon: ModelIcon },
  { path: "/query", name: "query", key: "q", Icon: QueryIcon },
  { path: "/dashboards", name: "dashboards", key: "d", Icon: DashboardIcon },
] as const;

const kShortcuts: [string[], TextKey][] = [
  [["/"], "shortcut_search"],
  [["g", "o"], "shortcut_overview"],
  [["g", "m"], "shortcut_models"],
  [["g", "q"], "shortcut_query"],
  [["g", "d"], "shortcut_dashboards"],
  [["t"], "shortcut_theme"],
  [["l"], "shortcut_language"],
  [["?"], "shortcut_help"],
  [["Ctrl", "Enter"], "shortcut_run"],
  [["Esc"], "shortcut_cancel"],
  [["Esc", "Tab"], "shortcut_leave_editor"],
  [["↑", "↓", "←", "→"], "shortcut_grid"],
  [["Ctrl", "C"], "shortcut_copy"],
  [["Alt", "←", "→"], "shortcut_width"],
];

function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M6 12c3.3-3 6.7-3 10 0s6.7 3 10 0" />
      <path d="M6 18c3.3-3 6.7-3 10 0s6.7 3 10 0" opacity=".75" />
      <path d="M11 24c1.7-1.5 3.3-1.5 5 0s3.3 1.5 5 0" opacity=".5" />
    </svg>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

function useShortcuts(openHelp: () => void) {
  const [, navigate] = useLocation();
  const { toggleLang, nextTheme } = usePreferences();
  useEffect(() => {
    let afterG = false;
    const onKey = (event: KeyboardEvent) => {
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        event.isComposing ||
        isTyping(event.target)
      )
        return;
      if (document.querySelector("dialog[open]")) return;
      const page = afterG && kPages.find(({ key }) => key === event.key);
      afterG = event.key === "g";
      if (page) navigate(page.path);
      else if (event.key === "?") openHelp();
      else if (event.key === "t") nextTheme();
      else if (event.key === "l") toggleLang();
      else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("main input[type=search]");
        if (!search) return;
        search.focus();
        search.select();
      } else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [navigate, openHelp, nextTheme, toggleLang]);
}

function ConnectionNews() {
  const { t } = usePreferences();
  const { state, at, retryNow } = useStatus();
  if (state !== "lost") return null;
  const text = at
    ? t("connection_lost_text", { time: new Date(at).toLocaleTimeString() })
    : t("connection_never");
  return (
    <div className="lost" role="status">
      <strong>{t("connection_lost")}</strong>
      <span>
        <WithCode text={text} />
      </span>
      <button type="button" onClick={retryNow}>
        {t("retry_now")}
      </button>
    </div>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const { t, theme, lang, nextTheme, toggleLang } = usePreferences();
  const { status, state } = useStatus();
  const [location] = useLocation();
  const help = useRef<HTMLDialogElement>(null);
  const openHelp = useRef(() => help.current?.showModal()).current;
  useShortcuts(openHelp);

  const here = (path: string) =>
    path === "/" ? location === "/" : location === path || location.startsWith(`${path}/`);
  const title = kPages.find(({ path }) => here(path));
  useEffect(() => {
    document.title = [title && t(title.name), status?.project, "Biwa"].filter(Boolean).join(" · ");
  }, [title, status?.project, t]);

  const themeText = t(`theme_${theme}`);
  return (
    <>
      <a className="skip" href="#main">
        {t("skip_to_content")}
      </a>
      <header className="top">
        <Link href="/" className="brand">
          <Logo />
          <span>Biwa</span>
        </Link>
        {status && (
          <span className="project">
            {status.project}
            <span className="env">{status.environment}</span>
          </span>
        )}
        <nav aria-label={t("nav_label")}>
          {kPages.map(({ path, name, Icon }) => (
            <Link key={path} href={path} aria-current={here(path) ? "page" : undefined}>
              <Icon />
              <span>{t(name)}</span>
            </Link>
          ))}
        </nav>
        <span className={`pulse ${state}`} role="status">
          <i />
          <span>
            {t(state === "open" ? "live" : state === "lost" ? "connection_lost" : "connecting")}
          </span>
        </span>
        <div className="tools">
          <button
            type="button"
            className="quiet"
            onClick={toggleLang}
            title={t("language")}
            aria-label={t("language")}
          >
            {lang === "ja" ? "EN" : "あ"}
          </button>
          <button
            type="button"
            className="quiet"
            onClick={nextTheme}
            title={themeText}
            aria-label={themeText}
          >
            {theme === "auto" ? <AutoIcon /> : theme === "light" ? <SunIcon /> : <MoonIcon />}
          </button>
          <button
            type="button"
            className="quiet help-button"
            onClick={openHelp}
            title={t("shortcuts")}
            aria-label={t("shortcuts")}
          >
            ?
          </button>
        </div>
      </header>
      <ConnectionNews />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <dialog ref={help} className="help" aria-labelledby="help-title">
        <h2 id="help-title">{t("shortcuts")}</h2>
        <dl>
          {kShortcuts.map(([keys, text]) => (
            <div key={text}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{t(text)}</dd>
            </div>
          ))}
        </dl>
        <form method="dialog">
          <button type="submit" autoFocus>
            {t("close")}
          </button>
        </form>
      </dialog>
    </>
  );
}
