#include "source/dump/contents.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "source/dump/rows_of_text.h"
#include "source/dump/schema.h"

namespace biwa::dump {

namespace {

constexpr std::string_view kEndOfRows = "\\.";
// The last that pg_dump writes.
constexpr std::string_view kComplete = "-- PostgreSQL database dump complete";

// How many brackets an array's text begins with, behind its bounds; 0 of an empty one.
int DimensionsOf(std::string_view text) {
    if (text.starts_with('[')) {
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) return 0;
        text.remove_prefix(equals + 1);
    }
    if (text == "{}") return 0;
    return static_cast<int>(std::min(text.find_first_not_of('{'), text.size()));
}

// A dump does not say of how many dimensions an array's column was declared: the first value tells.
class Dimensions {
  public:
    explicit Dimensions(const std::vector<bool>& is_array) {
        for (std::size_t i = 0; i < is_array.size(); ++i) {
            if (is_array[i]) unknown_.push_back(i);
        }
    }
    bool are_known() const { return unknown_.empty(); }
    void Look(const TextRow& row) {
        std::erase_if(unknown_, [&](std::size_t i) {
            if (i >= row.fields.size() || !row.fields[i]) return false;
            const int dimensions = DimensionsOf(*row.fields[i]);
            if (dimensions > 0) known_[i] = dimensions;
            return dimensions > 0;
        });
    }
    int Of(std::size_t i) const {
        const auto found = known_.find(i);
        return found == known_.end() ? 1 : found->second;
    }

  private:
    std::vector<std::size_t> unknown_;
    std::map<std::size_t, int> known_;
};

// One COPY of a dump, as it was found.
struct FoundRows {
    std::string table;
    Section section;
    std::map<std::string, int> dimensions;
};

void Complete(SourceTable& table, const std::vector<std::string>& key) {
    auto& columns = table.columns;
    for (const auto& name : key) {
        const auto found = columns.Find(name);
        if (!found) {
            columns.key.clear();
            break;
        }
        columns.key.push_back(*found);
    }
    if (!columns.key.empty()) return;
    for (std::size_t i = 0; i < columns.columns.size(); ++i) columns.key.push_back(i);
    columns.key_repeats = true;
}

// "schema.table"
void SetName(SourceTable& table, const std::string& name) {
    const auto dot = name.find('.');
    table.schema = name.substr(0, dot);
    table.name = name.substr(dot + 1);
}

DumpedTable Describe(Schema& schema, const std::string& name,
                     const std::vector<const FoundRows*>& rows) {
    DumpedTable dumped;
    auto& table = dumped.table;
    SetName(table, name);
    std::map<std::string, int> dimensions;
    for (const auto* found : rows) {
        dumped.sections.push_back(found->section);
        table.rows_estimate += found->section.rows;
        table.bytes += found->section.bytes;
        for (const auto& [column, depth] : found->dimensions) {
            auto& known = dimensions[column];
            known = std::max(known, depth);
        }
    }
    const auto* text = schema.Find(name);
    if (text == nullptr) {
        table.refusal = "the dump has its rows, and does not say what its columns are";
        table.mend_sql = "make the dump without --data-only and --section";
        return dumped;
    }
    // What COPY lists: generated columns are not in it.
    for (const auto& column : rows.front()->section.columns) {
        const auto* found = schema.FindColumn(name, column);
        if (found == nullptr) {
            table.refusal = fmt::format("the dump does not say what its column \"{}\" is", column);
            table.mend_sql = "make the dump of all its tables, with what they inherit from";
            return dumped;
        }
        auto decoder = schema.DecoderOf(found->type, std::max(1, dimensions[column]));
        table.columns.columns.push_back({column, decoder.type, true, decoder.note});
        dumped.decoders.push_back(std::move(decoder));
    }
    if (table.columns.columns.empty()) {
        table.refusal = "has no columns";
        return dumped;
    }
    Complete(table, text->key);
    return dumped;
}

// Passes over the rows of a COPY, up to behind their end.
Result<FoundRows> PassOverRows(LineFile& file, CopyText copy, const Schema& schema) {
    FoundRows found{std::move(copy.table), {}, {}};
    auto& section = found.section;
    section.begin = file.place();
    section.columns = std::move(copy.columns);
    const auto& root = schema.RootOf(found.table);
    std::vector<bool> is_array;
    for (const auto& column : section.columns) {
        const auto* text = schema.FindColumn(root, column);
        is_array.push_back(text != nullptr && schema.IsArray(text->type));
    }
    Dimensions dimensions(is_array);
    TextRow row;
    for (std::string_view line;;) {
        if (!BIWA_TRY(file.Next(line))) {
            return UserError(
                fmt::format("{}: the file is cut off in the rows of {}", file.path(), found.table));
        }
        if (line == kEndOfRows) break;
        ++section.rows;
        section.bytes += static_cast<std::int64_t>(line.size()) + 1;
        if (dimensions.are_known()) continue;
        ReadCopyRow(line, row);
        dimensions.Look(row);
    }
    for (std::size_t i = 0; i < is_array.size(); ++i) {
        if (is_array[i]) found.dimensions[section.columns[i]] = dimensions.Of(i);
    }
    return found;
}

Status ReadDump(LineFile& file, Contents& contents) {
    Schema schema;
    StatementReader statements;
    std::vector<FoundRows> found;
    bool is_complete = false, is_dump = false;
    for (std::string_view line; BIWA_TRY(file.Next(line));) {
        if (statements.is_between()) {
            if (line.starts_with("-- PostgreSQL database cluster dump")) {
                return UserError(fmt::format("{} is of all databases of a server", file.path()),
                                 "Make one of a database, by pg_dump and not by pg_dumpall.");
            }
            if (line.starts_with("-- PostgreSQL database dump")) is_dump = true;
            if (line == kComplete) is_complete = true;
            if (line.starts_with("-- MySQL dump") || line.starts_with("-- MariaDB dump")) {
                return UserError(fmt::format("{} is a dump of MariaDB or MySQL", file.path()),
                                 "Of these only CSV is read, a file a table.");
            }
            // What psql is told.
            if (line.starts_with('\\')) continue;
        }
        if (!statements.Add(line)) continue;
        const auto& statement = statements.statement();
        if (statement.starts_with("COPY ")) {
            if (auto copy = ParseCopy(statement)) {
                found.push_back(BIWA_TRY(PassOverRows(file, std::move(*copy), schema)));
                continue;
            }
        }
        schema.Take(statement);
    }
    if (!is_dump) {
        return UserError(fmt::format("{} is no dump of pg_dump", file.path()),
                         "CSV has to be called .csv or .csv.gz.");
    }
    if (!is_complete) {
        return UserError(
            fmt::format("{} is cut off: its last line is not \"{}\"", file.path(), kComplete));
    }
    if (!schema.encoding().empty() && schema.encoding() != "UTF8") {
        return UserError(fmt::format("{} is in {}", file.path(), schema.encoding()),
                         "Make it with pg_dump --encoding=UTF8.");
    }
    if (found.empty()) {
        return UserError(fmt::format("{} has no rows that can be read", file.path()),
                         schema.has_inserts()
                             ? "Make it without --inserts: its rows are then in COPY's format."
                             : "Was it made with --schema-only?");
    }
    // A table partitioned by ATTACH PARTITION is told of before its rows are.
    std::vector<std::string> order;
    std::map<std::string, std::vector<const FoundRows*>> by_root;
    for (const auto& rows : found) {
        const auto& root = schema.RootOf(rows.table);
        if (by_root[root].empty()) order.push_back(root);
        by_root[root].push_back(&rows);
    }
    for (const auto& root : order) contents.tables.push_back(Describe(schema, root, by_root[root]));
    return {};
}

Status ReadCsv(LineFile& file, const std::string& columns, Contents& contents) {
    Schema schema;
    TableText wanted;
    if (!columns.empty()) {
        auto parsed = Schema::ParseColumns(columns);
        if (!parsed) return Within("columns", parsed.error());
        wanted = std::move(*parsed);
    }
    TextRow row;
    if (!BIWA_TRY(ReadCsvRow(file, row))) {
        return UserError(fmt::format("{} is empty", file.path()),
                         "The first line has the columns' names.");
    }
    Section section;
    for (std::size_t i = 0; i < row.fields.size(); ++i) {
        auto name = row.fields[i].value_or("");
        constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
        if (i == 0 && name.starts_with(kByteOrderMark)) name.remove_prefix(kByteOrderMark.size());
        if (name.empty() || std::find(section.columns.begin(), section.columns.end(), name) !=
                                section.columns.end()) {
            return UserError(
                fmt::format("{}:1: column {} has no name of its own", file.path(), i + 1),
                "The first line has the columns' names.");
        }
        section.columns.emplace_back(name);
    }
    std::vector<const ColumnText*> texts;
    std::vector<bool> is_array;
    for (const auto& name : section.columns) {
        const auto found =
            std::find_if(wanted.columns.begin(), wanted.columns.end(),
                         [&](const ColumnText& column) { return column.name == name; });
        texts.push_back(found == wanted.columns.end() ? nullptr : &*found);
        is_array.push_back(texts.back() != nullptr && texts.back()->type.is_array);
    }
    for (const auto& column : wanted.columns) {
        if (std::find(section.columns.begin(), section.columns.end(), column.name) ==
            section.columns.end()) {
            const auto meant = DidYouMean(column.name, section.columns);
            return UserError(
                fmt::format("{}:1: there is no column \"{}\"", file.path(), column.name),
                meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
        }
    }
    section.begin = file.place();
    Dimensions dimensions(is_array);
    while (BIWA_TRY(ReadCsvRow(file, row))) {
        ++section.rows;
        if (!dimensions.are_known()) dimensions.Look(row);
    }
    section.bytes = static_cast<std::int64_t>(file.place().offset - section.begin.offset);

    DumpedTable dumped;
    auto& table = dumped.table;
    const auto slash = file.path().rfind('/');
    const auto name = file.path().substr(slash == std::string::npos ? 0 : slash + 1);
    table.schema = "public";
    table.name = name.substr(0, name.find('.'));
    table.rows_estimate = section.rows;
    table.bytes = section.bytes;
    for (std::size_t i = 0; i < section.columns.size(); ++i) {
        const TypeName type = texts[i] == nullptr ? TypeName{"text", {}, false} : texts[i]->type;
        auto decoder = schema.DecoderOf(type, dimensions.Of(i));
        table.columns.columns.push_back({section.columns[i], decoder.type, true, decoder.note});
        dumped.decoders.push_back(std::move(decoder));
    }
    for (const auto& key : wanted.key) {
        if (!table.columns.Find(key)) {
            return UserError(
                fmt::format("columns: the key has a column \"{}\", which the file has "
                            "not",
                            key));
        }
    }
    Complete(table, wanted.key);
    dumped.sections.push_back(std::move(section));
    contents.tables.push_back(std::move(dumped));
    return {};
}

}  // namespace

Result<std::shared_ptr<const Contents>> ReadContents(const std::string& path,
                                                     const std::string& columns) {
    auto file = BIWA_TRY(LineFile::Open(path));
    auto contents = std::make_shared<Contents>();
    contents->mark = BIWA_TRY(file.mark());
    const bool is_csv = path.ends_with(".csv") || path.ends_with(".csv.gz");
    if (is_csv) {
        contents->format = Format::kCsv;
        BIWA_TRY(ReadCsv(file, columns, *contents));
    } else if (!columns.empty()) {
        return UserError("columns are of CSV: a dump says itself what it has",
                         "Take columns out, or call the file .csv.");
    } else {
        BIWA_TRY(ReadDump(file, *contents));
    }
    if (contents->mark != BIWA_TRY(file.mark())) {
        return Unavailable(fmt::format("{} has changed while it was read", path));
    }
    for (auto& dumped : contents->tables) dumped.table.id = contents->mark.ToString();
    return contents;
}

}  // namespace biwa::dump
