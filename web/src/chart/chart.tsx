// A chart that follows its data, its size and the theme. Loaded only where one is shown.
import { useEffect, useRef } from "react";
import { usePreferences } from "../ui/preferences";
import type { ChartType } from "./choice";
import type { ChartData } from "./data";
import { init } from "./echarts";
import { chartOption, type ChartColours } from "./option";

type Props = { data: ChartData; type: ChartType; unit: string | null; label: string };
type Instance = ReturnType<typeof init>;

// A canvas needs colours as they come out, not as the style sheet names them.
function coloursAt(element: HTMLElement): ChartColours {
  const probe = document.createElement("span");
  probe.hidden = true;
  element.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = {
    text: colour("text"),
    muted: colour("muted"),
    line: colour("line"),
    surface: colour("surface"),
    palette: Array.from({ length: 8 }, (_, i) => colour(`series-${i + 1}`)),
  };
  probe.remove();
  return colours;
}

export default function Chart({ data, type, unit, label }: Props) {
  const { lang, dark } = usePreferences();
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<Instance | null>(null);

  useEffect(() => {
    const element = place.current!;
    const made = init(element, null, { locale: lang === "ja" ? "JA" : "EN" });
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, [lang]);

  useEffect(() => {
    const colours = coloursAt(place.current!.parentElement!);
    chart.current?.setOption(chartOption(data, { type, unit, lang, dark, colours }), {
      notMerge: true,
    });
  }, [data, type, unit, lang, dark]);

  return <div className="chart" ref={place} role="img" aria-label={label} />;
}
