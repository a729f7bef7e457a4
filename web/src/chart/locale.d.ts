declare module "echarts/i18n/langJA-obj.js" {
  const japanese: object;
  export default japanese;
}
