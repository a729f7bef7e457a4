// The parts of ECharts that are used, and nothing else of it.
import { BarChart, LineChart } from "echarts/charts";
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
} from "echarts/components";
import { init, registerLocale, use } from "echarts/core";
import japanese from "echarts/i18n/langJA-obj.js";
import { CanvasRenderer } from "echarts/renderers";

use([
  BarChart,
  LineChart,
  AriaComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  CanvasRenderer,
]);
registerLocale("JA", japanese);

export { init };
