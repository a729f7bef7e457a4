#include "replication/stream_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

bool Matches(const std::string& pattern, const std::string& name, const std::string& usual_schema) {
    if (pattern.ends_with('*')) {
        return name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
    }
    return name == pattern || name == usual_schema + "." + pattern;
}

// The warehouse does not tell names apart by capitals: two tables or columns must not become one.
void RefuseClashes(const std::string& target, std::map<std::string, std::string>& names,
                   SourceTable& table) {
    std::map<std::string, std::string> columns;
    for (const auto& column : table.columns.columns) {
        const auto [other, is_new] = columns.emplace(SmallLetters(column.name), column.name);
        if (is_new) continue;
        table.refusal = fmt::format(
            "has columns \"{}\" and \"{}\", which the warehouse cannot tell "
            "apart",
            other->second, column.name);
        table.mend_sql = "rename one of them";
        return;
    }
    const auto [other, is_new] = names.emplace(SmallLetters(target), table.ToString());
    if (is_new) return;
    table.refusal = fmt::format("would have the same name in the warehouse as {}", other->second);
    table.mend_sql = "exclude one of them, or give it a stream with another dataset";
}

}  // namespace

bool MatchesAny(const std::vector<std::string>& patterns, const std::string& name,
                const std::string& usual_schema) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return Matches(pattern, name, usual_schema);
    });
}

Result<std::vector<SourceTable>> FindTables(StreamSource& source, const TargetDataset& dataset,
                                            const std::vector<std::string>& patterns,
                                            const std::vector<std::string>& exclude,
                                            IfMissing if_missing,
                                            const std::set<std::string>& known) {
    auto found = BIWA_TRY(source.Tables(patterns, if_missing));
    std::vector<SourceTable> tables;
    std::map<std::string, std::string> names;  // in the warehouse, in small letters: of the source
    std::map<std::string, std::size_t> places;
    for (auto& table : found) {
        const auto name = table.ToString();
        if (MatchesAny(exclude, name, dataset.usual_schema)) {
            continue;
        }
        // A dot in a name: "a.b"."c" and "a"."b.c".
        const auto [other, is_new] = places.emplace(name, tables.size());
        if (!is_new) {
            auto& one = tables[other->second];
            one.refusal = fmt::format("may be table {} of {}, or {} of {}", one.name, one.schema,
                                      table.name, table.schema);
            one.mend_sql = "rename one of them, or its schema: a dot ends the schema's name";
            continue;
        }
        tables.push_back(std::move(table));
    }
    for (const bool is_known : {true, false}) {
        for (auto& table : tables) {
            if (!table.refusal.empty() || known.contains(table.ToString()) != is_known) continue;
            RefuseClashes(TargetTable(dataset, table.schema, table.name).name, names, table);
        }
    }
    return tables;
}

std::vector<TableStep> CompareTables(const std::vector<StreamState::Table>& tables,
                                     const std::vector<SourceTable>& found) {
    using Kind = TableStep::Kind;
    std::map<std::string, const SourceTable*> by_name, by_id;
    for (const auto& table : found) {
        by_name[table.ToString()] = &table;
        if (!table.id.empty()) by_id[table.id] = &table;
    }
    std::map<std::string, bool> known;  // names that the stream has, or takes over by a renaming
    for (const auto& table : tables) known[table.ToString()] = true;

    std::vector<TableStep> steps;
    for (const auto& table : tables) {
        const auto name = table.ToString();
        const auto same_name = by_name.find(name);
        if (same_name == by_name.end()) {
            const auto same_id = by_id.find(table.id);
            // A part is of a name: under another one all of it would be copied.
            if (same_id != by_id.end() && !table.part.empty() && same_id->second->part.empty()) {
                const auto now = same_id->second->ToString();
                known[now] = true;
                if (table.phase != TablePhase::kGone) {
                    steps.push_back(
                        {Kind::kGone, name, nullptr,
                         fmt::format("is called {} now, of which `only` says nothing", now)});
                }
                continue;
            }
            if (same_id != by_id.end() && same_id->second->refusal.empty() &&
                table.part == same_id->second->part.ToString() &&
                !known.contains(same_id->second->ToString())) {
                known[same_id->second->ToString()] = true;
                steps.push_back({Kind::kRename, name, same_id->second,
                                 "is called " + same_id->second->ToString() + " now"});
            } else if (table.phase != TablePhase::kGone) {
                steps.push_back({Kind::kGone, name, nullptr,
                                 "is not at the source, or not of the stream, any more"});
            }
            continue;
        }
        const auto& there = *same_name->second;
        if (!there.refusal.empty()) {
            if (table.phase != TablePhase::kGone) {
                steps.push_back({Kind::kGone, name, nullptr, there.refusal});
            }
            continue;
        }
        const bool inserts_only = there.columns.key.empty();
        if (table.phase == TablePhase::kPaused || table.phase == TablePhase::kWaiting) {
            if (table.inserts_only != inserts_only) {
                steps.push_back(
                    {Kind::kPublish, name, &there, "its rows are told apart otherwise"});
            } else if (table.part != there.part.ToString()) {
                steps.push_back({Kind::kPublish, name, &there, "another part of it is wanted"});
            } else if (!there.is_published.value_or(true)) {
                steps.push_back({Kind::kPublish, name, &there, "is published now, to be copied"});
            }
            continue;
        }
        std::string reason;
        if (table.phase == TablePhase::kGone) {
            reason = "is at the source again";
        } else if (!table.id.empty() && !there.id.empty() && table.id != there.id) {
            reason = "was made anew at the source";
        } else if (table.part != there.part.ToString()) {
            reason = "another part of it is wanted";
        } else if (!there.is_published.value_or(true)) {
            reason =
                "was taken out of the publication, or this was altered: changes of it are missing";
        } else if (table.key_repeats != there.columns.key_repeats) {
            reason = there.columns.key_repeats ? "has no key any more" : "has got a key";
        } else if (table.inserts_only != inserts_only) {
            reason = inserts_only ? "has nothing any more that changes could be told by"
                                  : "has got a key";
        } else {
            reason = ReasonOfShape(table.shape, there.shape);
        }
        if (!reason.empty()) steps.push_back({Kind::kRecopy, name, &there, reason});
    }
    for (const auto& table : found) {
        if (table.refusal.empty() && !known.contains(table.ToString())) {
            steps.push_back({Kind::kAdd, table.ToString(), &table, "is new"});
        }
    }
    return steps;
}

namespace {

std::map<std::string, std::string> ReadPairs(std::string_view text) {
    std::map<std::string, std::string> pairs;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find(' ', begin), text.size());
        const auto pair = text.substr(begin, end - begin);
        const auto colon = pair.find(':');
        if (colon != std::string_view::npos) {
            pairs.emplace(pair.substr(0, colon), pair.substr(colon + 1));
        }
        begin = end + 1;
    }
    return pairs;
}

}  // namespace

std::string BooksOf(const TableShape& shape) {
    if (shape.parts.empty() && shape.columns.empty()) return "";
    std::string text;
    for (const auto& [part, file] : shape.parts) {
        text += fmt::format("{}{}:{}", text.empty() ? "" : " ", part, file);
    }
    text += '|';
    const auto* space = "";
    for (const auto& [number, said] : shape.columns) {
        text += fmt::format("{}{}:{}", std::exchange(space, " "), number, said);
    }
    return text;
}

std::string ReasonOfShape(const std::string& books, const TableShape& now) {
    const auto bar = books.find('|');
    if (bar == std::string::npos || now.columns.empty()) return "";
    const auto parts = ReadPairs(std::string_view(books).substr(0, bar));
    const auto columns = ReadPairs(std::string_view(books).substr(bar + 1));
    for (const auto& [part, name] : now.filled_parts) {
        if (!parts.contains(part)) {
            return fmt::format("{} had rows when it was made a partition of it", name);
        }
    }
    const bool is_stored_anew =
        std::any_of(now.parts.begin(), now.parts.end(), [&](const auto& part) {
            const auto before = parts.find(part.first);
            return before != parts.end() && before->second != part.second;
        });
    std::int32_t last = 0;
    for (const auto& [number, said] : columns) last = std::max(last, std::stoi(number));
    bool is_one_dropped = false;
    for (const auto& [number, said] : now.columns) {
        const bool is_new = number > last;
        if (said.empty()) {
            is_one_dropped = is_one_dropped || is_new;
            continue;
        }
        if (said == "generated") continue;
        // Either may have had the other's name.
        if (is_new && is_one_dropped) {
            return "has got columns, some of which were dropped before they were noticed";
        }
        const auto before = columns.find(fmt::format("{}", number));
        if (before != columns.end() && before->second == "generated") {
            return "has an ordinary column that was generated: its values are not here";
        }
        if (is_stored_anew && (before == columns.end() || before->second != said)) {
            return "was stored anew with other columns: its values may be others too";
        }
    }
    return "";
}

std::string Signature(const SourceTable& table) {
    auto text = fmt::format("{}\x1f{}\x1f{}\x1f{}\x1f{}", table.ToString(), table.id, table.refusal,
                            table.columns.key_repeats, BooksOf(table.shape));
    text += "\x1f" + table.part.ToString();
    if (!table.is_published.value_or(true)) text += "\x1funpublished";
    for (const auto& note : table.notes) text += "\x1f" + note;
    for (const auto& [part, name] : table.shape.filled_parts) text += "\x1f" + part;
    for (const auto& column : table.columns.columns) {
        text += fmt::format("\x1f{}\x1f{}\x1f{}", column.name, column.number, ToSql(column.type));
    }
    for (const auto column : table.columns.key) text += fmt::format("\x1f{}", column);
    return text + '\n';
}

std::string Signature(const std::vector<SourceTable>& tables) {
    std::string text;
    for (const auto& table : tables) text += Signature(table);
    return text;
}

}  // namespace biwa
