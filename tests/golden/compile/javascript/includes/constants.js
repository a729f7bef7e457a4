const COLUMNS = ["id", "pupil_id", "seconds"];
module.exports = { COLUMNS, MIN_SECONDS: 3, tags: ["daily"] };
