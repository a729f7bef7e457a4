declare module "echarts/i18n/langJA-obj.js" {
  import type { registerLocale } from "echarts/core";
  const japanese: Parameters<typeof registerLocale>[1];
  export default japanese;
}
