const { join } = require("./lib/text");

function bucket(column, sizes) {
  return `CASE ${sizes.map((size, i) => `WHEN ${column} < ${size} THEN ${i}`).join(" ")} ELSE ${sizes.length} END`;
}
// Used after all includes are there, so it may use another one.
function keep(ctx) {
  return ctx.when(ctx.incremental(), `WHERE seconds > ${constants.MIN_SECONDS}`);
}
module.exports = { bucket, keep, list: (columns) => join(columns) };
