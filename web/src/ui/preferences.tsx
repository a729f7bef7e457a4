// What a viewer chose for this browser: language and theme.
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { en, type TextKey } from "../i18n/en";
import { fill } from "../i18n/fill";
import { ja } from "../i18n/ja";
import { recall, remember } from "./storage";

export type Lang = "en" | "ja";
export type Theme = "auto" | "light" | "dark";
export type Translate = (key: TextKey, values?: Record<string, string>) => string;

type Preferences = {
  lang: Lang;
  theme: Theme;
  dark: boolean;
  t: Translate;
  toggleLang: () => void;
  nextTheme: () => void;
};

const PreferencesContext = createContext<Preferences | null>(null);

const kThemes: Theme[] = ["auto", "light", "dark"];
const kSystemDark = window.matchMedia("(prefers-color-scheme: dark)");

function initialLang(): Lang {
  const chosen = recall("lang");
  if (chosen === "en" || chosen === "ja") return chosen;
  return navigator.language.toLowerCase().startsWith("ja") ? "ja" : "en";
}

export function PreferencesProvider({ children }: { children: ReactNode }) {
  const [lang, setLang] = useState(initialLang);
  const [theme, setTheme] = useState<Theme>(() => {
    const chosen = recall("theme");
    return kThemes.find((known) => known === chosen) ?? "auto";
  });
  const [systemDark, setSystemDark] = useState(kSystemDark.matches);

  useEffect(() => {
    const onChange = () => setSystemDark(kSystemDark.matches);
    kSystemDark.addEventListener("change", onChange);
    return () => kSystemDark.removeEventListener("change", onChange);
  }, []);
  useEffect(() => {
    document.documentElement.lang = lang;
  }, [lang]);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);

  const value = useMemo<Preferences>(() => {
    const texts = lang === "ja" ? ja : en;
    return {
      lang,
      theme,
      dark: theme === "auto" ? systemDark : theme === "dark",
      t: (key, values) => (values ? fill(texts[key], values) : texts[key]),
      toggleLang: () => {
        const next = lang === "ja" ? "en" : "ja";
        remember("lang", next);
        setLang(next);
      },
      nextTheme: () => {
        const next = kThemes[(kThemes.indexOf(theme) + 1) % kThemes.length]!;
        remember("theme", next);
        setTheme(next);
      },
    };
  }, [lang, theme, systemDark]);

  return <PreferencesContext.Provider value={value}>{children}</PreferencesContext.Provider>;
}

export function usePreferences(): Preferences {
  const value = useContext(PreferencesContext);
  if (!value) throw new Error("usePreferences outside of PreferencesProvider");
  return value;
}
