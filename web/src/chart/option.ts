// What ECharts is told to draw.
import { formatCompact, formatValue } from "../format/numbers";
import type { ChartType } from "./choice";
import type { ChartData } from "./data";

export type ChartColours = {
  text: string;
  muted: string;
  line: string;
  surface: string;
  palette: string[];
};

export type ChartLook = {
  type: ChartType;
  unit: string | null;
  lang: string;
  dark: boolean;
  colours: ChartColours;
};

export function chartOption(data: ChartData, look: ChartLook) {
  const { colours, lang } = look;
  const text = { color: colours.muted, fontFamily: "inherit", fontSize: 11 };
  const many = data.labels.length > 60;
  return {
    // Tiles change often, and what moves by itself takes the eye from what is read.
    animation: false,
    aria: { enabled: true },
    color: colours.palette,
    textStyle: { fontFamily: "inherit" },
    grid: {
      left: 4,
      right: 12,
      top: data.series.length > 1 ? 30 : 12,
      bottom: 4,
      containLabel: true,
    },
    legend: {
      show: data.series.length > 1,
      type: "scroll" as const,
      top: 0,
      left: 0,
      itemWidth: 10,
      itemHeight: 10,
      icon: "roundRect",
      textStyle: { ...text, color: colours.text },
      pageTextStyle: text,
      pageIconColor: colours.muted,
      pageIconInactiveColor: colours.line,
      pageIconSize: 10,
    },
    tooltip: {
      trigger: "axis" as const,
      confine: true,
      backgroundColor: colours.surface,
      borderColor: colours.line,
      textStyle: { color: colours.text, fontSize: 12 },
      axisPointer: { type: look.type === "bar" ? ("shadow" as const) : ("line" as const) },
      valueFormatter: (value: unknown) =>
        typeof value === "number"
          ? formatValue(value, lang) + (look.unit ? ` ${look.unit}` : "")
          : "–",
    },
    xAxis: {
      type: data.times ? ("time" as const) : ("category" as const),
      ...(data.times ? {} : { data: data.labels }),
      boundaryGap:
        look.type === "bar" ? (data.times ? (["4%", "4%"] as [string, string]) : true) : false,
      axisLine: { lineStyle: { color: colours.line } },
      axisTick: { show: false },
      axisLabel: {
        ...text,
        hideOverlap: true,
        overflow: "truncate" as const,
        width: data.times ? undefined : 110,
      },
      splitLine: { show: false },
    },
    yAxis: {
      type: "value" as const,
      // A bar's length and the area under one line are read as the value, so they begin at zero;
      // several lines are compared with each other.
      scale: look.type === "line" && data.series.length > 1,
      axisLabel: { ...text, formatter: (value: number) => formatCompact(value, lang) },
      splitLine: { lineStyle: { color: colours.line, type: "dashed" as const } },
      splitNumber: 4,
    },
    series: data.series.map(({ name, values }) => ({
      name,
      type: look.type,
      data: data.times ? values.map((value, i) => [data.times![i]!, value]) : values,
      ...(look.type === "line"
        ? {
            showSymbol: values.length < 40,
            symbolSize: 5,
            lineStyle: { width: 2 },
            sampling: "lttb" as const,
            connectNulls: false,
            areaStyle: data.series.length === 1 ? { opacity: 0.12 } : undefined,
          }
        : { barMaxWidth: 36, itemStyle: { borderRadius: many ? 0 : [3, 3, 0, 0] } }),
    })),
  };
}
