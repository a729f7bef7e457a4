#include "source/mysql/table_resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <iterator>

#include "base/check.h"
#include "base/text.h"
#include "source/mysql/character_set.h"
#include "source/mysql/result_rows.h"

namespace biwa::mysql {

namespace {

constexpr std::uint16_t kBinaryCollation = 63;

// Memory for one block of rows.
class BlockMemory final : public CellsOwner {
  public:
    explicit BlockMemory(const std::vector<Column>& columns) {
        for (const auto& column : columns) {
            auto& cells = block.columns.emplace_back();
            cells.type = column.type;
            cells.owner = this;
            cells.data = data_.emplace_back(kBlockRows * CellBytes(column.type)).data();
        }
    }
    void MakeValidity(Cells& cells) override {
        cells.validity = validity_.emplace_back(kBlockRows / 64, ~std::uint64_t{0}).data();
    }
    Cells& GrowChild(Cells& cells, std::size_t) override {
        BIWA_CHECK(false);
        return cells;
    }

    RowBlock block;

  private:
    std::deque<std::vector<std::byte>> data_;
    std::deque<std::vector<std::uint64_t>> validity_;
};

}  // namespace

StreamResolver::StreamResolver(ConnectionParameters parameters,
                               const std::vector<FollowedTable>& tables)
    : parameters_(std::move(parameters)) {
    for (const auto& one : tables) {
        const auto& table = one.table;
        auto& known = tables_[table.ToString()];
        known.followed.seen = one.from;
        known.followed.until = one.until;
        known.schema = table.schema;
        known.name = table.name;
        known.followed.columns = std::make_shared<const TableSchema>(table.columns);
    }
}

const KnownTable* StreamResolver::Find(const std::string& schema, const std::string& table) const {
    const auto found = tables_.find(schema + "." + table);
    return found == tables_.end() ? nullptr : &found->second.followed;
}

std::vector<std::string> StreamResolver::TablesOf(const std::string& schema) const {
    std::vector<std::string> names;
    for (const auto& [full, known] : tables_) {
        if (known.schema == schema) names.push_back(known.name);
    }
    return names;
}

std::vector<std::string> StreamResolver::SchemasOf(const std::string& table) const {
    std::vector<std::string> schemas;
    for (const auto& [full, known] : tables_) {
        if (known.name == table) schemas.push_back(known.schema);
    }
    return schemas;
}

namespace {

// Whether the word of a statement, which may be a text or a number too, can be the name of
// something in the catalogue: that has at most 64 characters of three bytes.
bool MayBeName(const std::string& word) {
    constexpr std::size_t kBytesMax = std::size_t{64} * 3;
    const bool is_number =
        std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    const bool is_beyond = std::any_of(
        word.begin(), word.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xf0; });
    return !is_number && !is_beyond && word.size() <= kBytesMax && IsUtf8(word);
}

}  // namespace

Status StreamResolver::Spell(TableEffect& effect) {
    if (!names_have_case_) {
        const auto setting =
            BIWA_TRY(BIWA_TRY(Asking())->Query("SELECT @@GLOBAL.lower_case_table_names"));
        names_have_case_ = setting.Number(0, 0) == 0;
    }
    if (*names_have_case_) return {};
    const auto is_same = [](const std::string& written, const std::string& name) {
        return SmallLetters(written) == SmallLetters(name);
    };
    for (const auto& [full, known] : tables_) {
        const bool has_schema = is_same(effect.schema, known.schema);
        const bool has_table = is_same(effect.table, known.name);
        if ((!has_schema && !effect.schema.empty()) || (!has_table && !effect.table.empty())) {
            continue;
        }
        if (has_schema) effect.schema = known.schema;
        if (has_table) effect.table = known.name;
        return {};
    }
    return {};
}

Result<std::string> StreamResolver::ColumnOf(const std::string& written,
                                             const TableSchema& columns) {
    std::string others;  // those whose case only the server knows
    for (const auto& column : columns.columns) {
        if (SmallLetters(column.name) == SmallLetters(written)) return column.name;
        if (IsAscii(column.name)) continue;
        others += fmt::format("{}SELECT {} AS name", others.empty() ? "" : " UNION ALL ",
                              BIWA_TRY(Asking())->Literal(column.name));
    }
    if (others.empty() || IsAscii(written)) return written;
    const auto found = BIWA_TRY(BIWA_TRY(Asking())->Query(fmt::format(
        "SELECT name FROM ({}) AS names WHERE lower(name) = lower({}) COLLATE utf8mb4_bin", others,
        BIWA_TRY(Asking())->Literal(written))));
    return found.size() == 1 ? found.Text(0, 0) : written;
}

Status StreamResolver::SpellColumns(TableEffect& effect) {
    if (effect.renamed.empty() && effect.dropped.empty()) return {};
    const auto found = tables_.find(effect.schema + "." + effect.table);
    if (found == tables_.end()) return {};
    const auto& columns = *found->second.followed.columns;
    for (auto& [before, now] : effect.renamed) before = BIWA_TRY(ColumnOf(before, columns));
    for (auto& column : effect.dropped) {
        column = SmallLetters(BIWA_TRY(ColumnOf(column, columns)));
    }
    return {};
}

// What they do to which tables is not looked for: any may be meant. As the catalogue has them now,
// and as far as the role may see them.
Result<TableNames> StreamResolver::ReachedBy(const Statement& statement) {
    std::set<std::string> names;
    for (const auto& effect : statement.effects) {
        if (MayBeName(effect.table)) names.insert(SmallLetters(effect.table));
    }
    bool reaches = statement.calls_function;
    if (!reaches) {
        BIWA_TRY(LookForPrograms(names));
        reaches = std::any_of(names.begin(), names.end(),
                              [&](const std::string& name) { return has_program_.at(name); });
    }
    TableNames tables;
    if (!reaches) return tables;
    for (const auto& [full, known] : tables_) tables.emplace(known.schema, known.name);
    return tables;
}

Status StreamResolver::LookForPrograms(const std::set<std::string>& names) {
    constexpr std::size_t kNamesKept = 10'000, kNamesAtOnce = 500;
    if (has_program_.size() > kNamesKept) has_program_.clear();
    std::vector<std::string> unknown;
    std::copy_if(names.begin(), names.end(), std::back_inserter(unknown),
                 [&](const std::string& name) { return !has_program_.contains(name); });
    for (std::size_t begin = 0; begin < unknown.size(); begin += kNamesAtOnce) {
        const auto& connection = *BIWA_TRY(Asking());
        const auto end = std::min(begin + kNamesAtOnce, unknown.size());
        std::string list;
        for (auto i = begin; i < end; ++i) {
            list += (list.empty() ? "" : ", ") + connection.Literal(unknown[i]);
        }
        const auto found = BIWA_TRY(connection.Query(fmt::format(
            "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_NAME IN ({0}) AND "
            "TABLE_SCHEMA NOT IN ({1}) UNION "
            "SELECT EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS "
            "WHERE EVENT_OBJECT_TABLE IN ({0}) AND EVENT_OBJECT_SCHEMA NOT IN ({1}) UNION "
            "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_NAME IN ({0}) "
            "AND ROUTINE_TYPE = 'FUNCTION' AND ROUTINE_SCHEMA NOT IN ({1})",
            list, "'sys', 'mysql', 'information_schema', 'performance_schema'")));
        for (auto i = begin; i < end; ++i) has_program_[unknown[i]] = false;
        for (std::size_t i = 0; i < found.size(); ++i) {
            has_program_[SmallLetters(found.Text(i, 0))] = true;
        }
    }
    return {};
}

Result<std::string> StreamResolver::ToUtf8(std::uint16_t collation, std::string_view text) {
    std::string utf8(text);
    const auto set = sets_.FindByCollation(*BIWA_TRY(Asking()), collation);
    if (!set && set.error().kind == ErrorKind::kUnavailable) return tl::unexpected(set.error());
    if (set && *set) mysql::ToUtf8(**set, text, utf8);
    return utf8;
}

void StreamResolver::Forget(const TableEffect& effect) {
    const auto found = tables_.find(effect.schema + "." + effect.table);
    if (found == tables_.end()) return;
    auto& known = found->second;
    known.catalog.reset();
    known.trusted_s.reset();
    known.filled_s.reset();
    known.defaults.reset();
    if (effect.kind == TableEffect::Kind::kEmptied || effect.kind == TableEffect::Kind::kDropped) {
        // There are no rows for which a column could have come later.
        known.added.clear();
        known.altered.clear();
    }
    for (const auto& column : effect.dropped) {
        known.added.erase(column);
        known.altered.erase(column);
    }
    known.added.insert(effect.added.begin(), effect.added.end());
    if (effect.changes_defaults) known.altered = known.added;
}

bool StreamResolver::MayHaveMisread(const TableEffect& effect, std::int64_t altered_s) const {
    const auto found = tables_.find(effect.schema + "." + effect.table);
    if (found == tables_.end()) return false;
    const auto& known = found->second;
    return (known.trusted_s && *known.trusted_s >= altered_s) ||
           (effect.changes_defaults && known.filled_s && *known.filled_s >= altered_s);
}

void StreamResolver::Note(std::int64_t time_s, PlaceNotes& notes) const {
    // What is logged in a later second was done when the answer had been given.
    const auto is_open = [&](const std::optional<std::int64_t>& asked_s) {
        return asked_s && *asked_s >= time_s;
    };
    for (const auto& [full, known] : tables_) {
        const bool for_changes = is_open(known.trusted_s), for_fills = is_open(known.filled_s);
        if (known.added.empty() && !for_changes && !for_fills) continue;
        const TableName name(known.schema, known.name);
        for (const auto& column : known.added) {
            notes.added[name][column] = known.altered.contains(column);
        }
        if (!for_changes && !for_fills) continue;
        notes.asked_s = std::max(
            {notes.asked_s, for_changes ? *known.trusted_s : 0, for_fills ? *known.filled_s : 0});
        notes.asked_for[name] = !for_changes;
    }
}

void StreamResolver::Recall(const PlaceNotes& notes) {
    for (auto& [full, known] : tables_) {
        const TableName name(known.schema, known.name);
        if (const auto added = notes.added.find(name); added != notes.added.end()) {
            for (const auto& [column, is_altered] : added->second) {
                known.added.insert(column);
                if (is_altered) known.altered.insert(column);
            }
        }
        if (const auto asked = notes.asked_for.find(name); asked != notes.asked_for.end()) {
            (asked->second ? known.filled_s : known.trusted_s) = notes.asked_s;
            if (!asked->second) known.filled_s = notes.asked_s;
        }
    }
}

Result<const Connection*> StreamResolver::Asking() {
    if (!asking_ || !asking_->is_good()) {
        asking_.reset();
        asking_ = BIWA_TRY(Connection::Open(parameters_));
    }
    return &*asking_;
}

Status StreamResolver::AskCatalog(Known& known) {
    known.defaults.reset();
    const auto name = known.schema + "." + known.name;
    auto found =
        ReadTables(*BIWA_TRY(Asking()), parameters_.database, {name}, IfMissing::kPassOver, &sets_);
    // The connection may have waited too long for the next question.
    if (!found && found.error().kind == ErrorKind::kUnavailable) {
        found = ReadTables(*BIWA_TRY(Asking()), parameters_.database, {name}, IfMissing::kPassOver,
                           &sets_);
    }
    if (!found && found.error().kind != ErrorKind::kUser) {
        return tl::unexpected(std::move(found).error());
    }
    // Behind it: what was altered up to this second may be in the answer.
    known.asked_s = BIWA_TRY(BIWA_TRY(Asking())->Query("SELECT UNIX_TIMESTAMP()")).Number(0, 0);
    known.catalog = found && found->size() == 1 ? std::move(found->front()) : CatalogTable();
    return {};
}

Result<ColumnInfo> StreamResolver::InfoOf(const MappedColumn& mapped, const CatalogColumn* column) {
    ColumnInfo info;
    info.name = mapped.name;
    info.type = mapped.type;
    info.meta = mapped.meta;
    info.is_unsigned = mapped.is_unsigned.value_or(false);
    const auto& connection = *BIWA_TRY(Asking());
    std::shared_ptr<const CharacterSet> characters;
    if (mapped.collation && *mapped.collation != kBinaryCollation) {
        characters = BIWA_TRY(sets_.FindByCollation(connection, *mapped.collation));
    }
    const bool is_values = mapped.type == FieldType::kEnum || mapped.type == FieldType::kSet;
    if (is_values) {
        // The names of values are in the column's character set too.
        for (const auto& value : mapped.values) {
            auto& text = info.values.emplace_back(value);
            if (characters) mysql::ToUtf8(*characters, value, text);
        }
    } else {
        info.characters = std::move(characters);
    }
    if (column != nullptr && Fits(column->info, mapped)) info.special = column->info.special;
    return info;
}

// With binlog_row_metadata=FULL the table map has all but what MariaDB hides from its log.
Result<std::vector<ColumnInfo>> StreamResolver::ColumnsByName(const TableMap& map, Known& known) {
    const auto find = [&](const std::string& name) -> const CatalogColumn* {
        for (const auto& column : known.catalog->columns) {
            if (column.name == name) return &column;
        }
        return nullptr;
    };
    const bool all_known = known.catalog && std::all_of(map.columns.begin(), map.columns.end(),
                                                        [&](const MappedColumn& c) {
                                                            return find(c.name) != nullptr;
                                                        });
    if (!all_known) BIWA_TRY(AskCatalog(known));
    std::vector<ColumnInfo> infos;
    for (const auto& mapped : map.columns) {
        infos.push_back(BIWA_TRY(InfoOf(mapped, find(mapped.name))));
    }
    return infos;
}

bool StreamResolver::FitsCatalog(const TableMap& map, const Known& known) {
    const auto& columns = known.catalog->columns;
    if (columns.size() != map.columns.size()) return false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (!Fits(columns[i].info, map.columns[i])) return false;
    }
    return true;
}

// Without names the columns are those of the catalogue, if they can be.
Result<std::vector<ColumnInfo>> StreamResolver::ColumnsByPlace(const TableMap& map, Known& known) {
    if (!known.catalog || !FitsCatalog(map, known)) BIWA_TRY(AskCatalog(known));
    if (!FitsCatalog(map, known)) {
        return Fail(
            ErrorKind::kConflict,
            fmt::format("a change of {}.{} was made when it had other columns than now, and the "
                        "binary log does not name them",
                        map.schema, map.table),
            "SET GLOBAL binlog_row_metadata = 'FULL';");
    }
    known.trusted_s = known.asked_s;
    std::vector<ColumnInfo> infos;
    for (std::size_t i = 0; i < map.columns.size(); ++i) {
        auto& info = infos.emplace_back(known.catalog->columns[i].info);
        info.type = map.columns[i].type;
        info.meta = map.columns[i].meta;
    }
    return infos;
}

Result<std::optional<ResolvedTable>> StreamResolver::Resolve(const TableMap& map) {
    const auto found = tables_.find(map.schema + "." + map.table);
    if (found == tables_.end()) return std::optional<ResolvedTable>();
    auto& known = found->second;
    auto infos =
        map.has_names ? BIWA_TRY(ColumnsByName(map, known)) : BIWA_TRY(ColumnsByPlace(map, known));
    ResolvedTable resolved;
    auto schema = std::make_shared<TableSchema>();
    for (std::size_t i = 0; i < infos.size(); ++i) {
        auto decoder = DecoderFor(std::move(infos[i]));
        const auto& name = decoder.info.name;
        const auto& all = known.catalog->columns;
        const auto in_catalog = std::find_if(
            all.begin(), all.end(), [&](const CatalogColumn& c) { return c.name == name; });
        const bool left_out = in_catalog != all.end() && in_catalog->is_virtual;
        if (decoder.binlog == nullptr && !left_out) {
            return Fail(ErrorKind::kConflict,
                        fmt::format("column {} of {}.{} has become one of a type that cannot be "
                                    "read in the binary log",
                                    name, map.schema, map.table),
                        "Give it a plain type.");
        }
        resolved.places.push_back(left_out ? ResolvedTable::kLeftOut : schema->columns.size());
        if (!left_out) {
            schema->columns.push_back(
                {name, decoder.type, map.columns[i].nullable, decoder.note, {}});
            const auto& now = known.catalog->table.columns;
            if (const auto place = now.Find(name)) {
                schema->columns.back().fill = now.columns[*place].fill;
                schema->columns.back().fill_unknown =
                    now.columns[*place].fill_unknown || known.altered.contains(SmallLetters(name));
            }
        }
        resolved.decoders.push_back(std::move(decoder));
    }
    // What the rows got that were there is told by what the catalogue has of it now.
    if (!known.added.empty()) known.filled_s = known.asked_s;
    known.added.clear();
    known.altered.clear();
    schema->rows_vanish = known.catalog->table.columns.rows_vanish;
    FindKey(map, known, *schema, resolved);
    resolved.columns = schema;
    known.followed.columns = std::move(schema);
    return std::optional<ResolvedTable>(std::move(resolved));
}

void StreamResolver::FindKey(const TableMap& map, const Known& known, TableSchema& schema,
                             ResolvedTable& resolved) {
    // As it was when the changes were made, where the log says; else as the catalogue has it now.
    if (map.has_names) {
        for (const auto column : map.key) {
            if (resolved.places[column] == ResolvedTable::kLeftOut) continue;
            schema.key.push_back(resolved.places[column]);
        }
    } else {
        const auto& now = known.catalog->table.columns;
        for (const auto column : now.key) {
            if (now.key_repeats) break;
            if (const auto place = schema.Find(now.columns[column].name)) {
                schema.key.push_back(*place);
            }
        }
    }
    schema.key_repeats = schema.key.empty();
    for (std::size_t i = 0; schema.key_repeats && i < schema.columns.size(); ++i) {
        schema.key.push_back(i);
    }
    resolved.is_key.assign(schema.columns.size(), false);
    for (const auto column : schema.key) {
        resolved.is_key[column] = true;
        const auto place = std::find(resolved.places.begin(), resolved.places.end(), column);
        resolved.key.push_back(static_cast<std::size_t>(place - resolved.places.begin()));
    }
}

Result<const TableResolver::Defaults*> StreamResolver::DefaultsOf(const TableMap& map,
                                                                  const ResolvedTable& resolved) {
    auto& known = tables_.at(map.schema + "." + map.table);
    if (known.defaults && known.defaults->row.column_count() == resolved.columns->columns.size()) {
        return known.defaults.get();
    }
    constexpr int kTries = 5;
    for (int i = 1;; ++i) {
        const auto read = ReadDefaults(map, resolved, known);
        if (read) return known.defaults.get();
        // It may have been altered, or dropped, since the catalogue was asked.
        if (read.error().kind != ErrorKind::kUser || i == kTries) {
            return tl::unexpected(read.error());
        }
        known.catalog.reset();
    }
}

Status StreamResolver::ReadDefaults(const TableMap& map, const ResolvedTable& resolved,
                                    Known& known) {
    if (!known.catalog) BIWA_TRY(AskCatalog(known));
    known.trusted_s = known.asked_s;
    auto defaults = std::make_unique<Defaults>();
    defaults->row = RowStore(resolved.columns->columns);
    defaults->row.AddRow();
    std::string select;
    std::vector<Column> columns;
    std::vector<ColumnDecoder> decoders;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < resolved.columns->columns.size(); ++i) {
        const auto& column = resolved.columns->columns[i];
        defaults->row.cells(i).SetNull(0);
        const auto& all = known.catalog->columns;
        const auto found = std::find_if(all.begin(), all.end(), [&](const CatalogColumn& one) {
            return one.name == column.name;
        });
        // It may have become another type since.
        const bool is_constant = found != all.end() && found->default_is_constant &&
                                 DecoderFor(found->info).type == column.type;
        defaults->known.push_back(is_constant);
        if (!is_constant || !found->default_text) continue;
        // The server's own value, in the form of any other: no second reading of texts.
        select +=
            fmt::format("{}DEFAULT(t.{})", select.empty() ? "" : ", ", QuoteName(column.name));
        columns.push_back(column);
        decoders.push_back(DecoderFor(found->info));
        places.push_back(i);
    }
    if (!select.empty()) {
        BlockMemory memory(columns);
        const auto rows = BIWA_TRY(ResultRows::Open(
            BIWA_TRY(Connection::Open(parameters_)),
            fmt::format("SELECT {} FROM (SELECT 1) AS one LEFT JOIN {}.{} AS t ON TRUE LIMIT 1",
                        select, QuoteName(map.schema), QuoteName(map.table)),
            std::move(decoders),
            fmt::format("asking for the defaults of {}.{}", map.schema, map.table),
            [](std::optional<Connection>) {}));
        if (BIWA_TRY(rows->Fill(memory.block)) != 1) {
            return Corrupt("the server did not say what the defaults are");
        }
        for (std::size_t i = 0; i < places.size(); ++i) {
            const auto& from = memory.block.columns[i];
            auto& to = defaults->row.cells(places[i]);
            if (from.IsNull(0)) {
                // So the server answers for a NOT NULL column of a table without rows.
                defaults->known[places[i]] = false;
                continue;
            }
            to.validity[0] |= 1;
            CopyCell(from, 0, to, 0);
            if (IsString(to.type)) to.Set(0, defaults->row.arena().Copy(from.GetString(0)));
        }
    }
    known.defaults = std::move(defaults);
    return {};
}

}  // namespace biwa::mysql
