#include "replication/table_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "replication/history.h"
#include "replication/target_table.h"

namespace biwa {

TableKeeper::TableKeeper(Warehouse& warehouse, const StreamOptions& options, StreamLine& line,
                         StreamBoard& board, TableIntake& intake)
    : warehouse_(warehouse), options_(options), line_(line), board_(board), intake_(intake) {}

Result<std::vector<SourceTable>> TableKeeper::Find(StreamSource& source, IfMissing if_missing,
                                                   const std::set<std::string>& known) const {
    auto found = BIWA_TRY(
        FindTables(source, options_.dataset, options_.tables, options_.exclude, if_missing, known));
    std::optional<std::set<std::string>> taken;
    for (auto& table : found) {
        const auto target = TargetTable(options_.dataset, table.schema, table.name);
        // Its own may be from before there were books of what streams have made.
        if (known.contains(table.ToString()) || !table.refusal.empty()) continue;
        if (!taken) taken = BIWA_TRY(NamesTaken(warehouse_, options_.dataset.name));
        if (!taken->contains(SmallLetters(target.name))) continue;
        table.refusal =
            fmt::format("the warehouse has a {} already, which no stream made", target.ToString());
        table.mend_sql = "give that another name, or the stream another dataset";
    }
    return found;
}

Status TableKeeper::Look(StreamSource& source) {
    found_ = BIWA_TRY(Find(source, IfMissing::kPassOver));
    return {};
}

bool TableKeeper::AreNews(const std::vector<SourceTable>& found) const {
    const auto signature = Signature(found);
    std::lock_guard lock(mutex_);
    return signature != signature_;
}

bool TableKeeper::HasHeard() {
    std::lock_guard lock(mutex_);
    bool has_heard = false;
    for (auto& [table, hearing] : hearings_) {
        if (hearing.is_done || !line_.HasApplied(hearing.until)) continue;
        hearing.is_done = true;
        has_heard = true;
    }
    return has_heard;
}

namespace {

bool IsPublished(const SourceTable& table) { return table.is_published.value_or(true); }

// Whether the log alone tells a masked column by another name.
bool NamesAreInLog(const SourceTable& table) {
    const auto& columns = table.columns.columns;
    return !table.masks.empty() &&
           std::all_of(columns.begin(), columns.end(),
                       [](const Column& column) { return column.number == 0; });
}

}  // namespace

bool TableKeeper::HasToBeHeard(const TableStep& step) const {
    const auto* known = line_.state().Find(step.table);
    if (step.kind != TableStep::Kind::kRecopy || known == nullptr ||
        known->phase != TablePhase::kLive) {
        return false;
    }
    // What is missing in the log ends the history where that is seen.
    if (known->id == step.found->id && !IsPublished(*step.found)) return false;
    const auto& columns = step.found->columns;
    // One that is published otherwise than its key is makes the application's own updates fail.
    const bool is_published_alike = known->part == step.found->part.ToString() &&
                                    known->key_repeats == columns.key_repeats &&
                                    known->inserts_only == columns.key.empty();
    const bool keeps_history =
        MatchesAny(options_.history, step.table, options_.dataset.usual_schema);
    // What a column was called before it got a name that is clear is in no catalogue.
    const bool tells = keeps_history || step.found->is_masked_by_name;
    return (tells && is_published_alike) || NamesAreInLog(*step.found);
}

Status TableKeeper::PutOffUnheard(StreamSource& source, std::vector<TableStep>& steps,
                                  Hearings& hearings) {
    std::vector<TableStep> kept;
    for (auto& step : steps) {
        if (!HasToBeHeard(step)) {
            kept.push_back(std::move(step));
            continue;
        }
        auto signature = Signature(*step.found);
        std::optional<Hearing> before;
        {
            std::lock_guard lock(mutex_);
            // A history ends where this was first seen, whatever comes after that; the name of a
            // masked column is what the last ALTER has made of it.
            const auto found = hearings_.find(step.table);
            if (found != hearings_.end() &&
                (found->second.signature == signature || !step.found->is_masked_by_name)) {
                before = found->second;
            }
        }
        if (before && before->is_done) {
            kept.push_back(std::move(step));
            continue;
        }
        if (!before) before = Hearing{std::move(signature), BIWA_TRY(source.Head())};
        hearings[step.table] = std::move(*before);
        compared_.erase(step.table);
    }
    steps = std::move(kept);
    return {};
}

std::set<std::string> TableKeeper::TablesToHear() const {
    std::set<std::string> names;
    for (const auto& table : found_) {
        const auto& columns = table.columns.columns;
        const bool has_numbers =
            std::any_of(columns.begin(), columns.end(),
                        [](const Column& column) { return column.number != 0; });
        if (table.is_masked_by_name && has_numbers) names.insert(table.ToString());
    }
    return names;
}

Status TableKeeper::HearWaiting(StreamSource& source, Hearings& hearings) const {
    const auto to_hear = TablesToHear();
    for (const auto& table : line_.state().tables) {
        const auto name = table.ToString();
        if (table.phase != TablePhase::kWaiting || hearings.contains(name) ||
            !to_hear.contains(name)) {
            continue;
        }
        std::optional<Hearing> before;
        {
            std::lock_guard lock(mutex_);
            if (const auto one = hearings_.find(name); one != hearings_.end()) before = one->second;
        }
        hearings[name] = before ? *before : Hearing{"", BIWA_TRY(source.Head())};
    }
    return {};
}

void TableKeeper::HearCopies(const std::vector<std::string>& tables, std::uint64_t order,
                             int attempt) {
    const auto to_hear = TablesToHear();
    for (const auto& table : tables) {
        if (!to_hear.contains(table)) continue;
        std::lock_guard lock(mutex_);
        auto& hearing = hearings_[table];
        if (hearing.copied_in == attempt) continue;
        const Position until{order, ""};
        hearing = {"", until, line_.HasApplied(until), attempt};
    }
}

std::set<std::string> TableKeeper::NotHeard() const {
    std::set<std::string> names;
    std::lock_guard lock(mutex_);
    for (const auto& [name, hearing] : hearings_) {
        if (!hearing.is_done) names.insert(name);
    }
    return names;
}

Status TableKeeper::Adjust(StreamSource& source) {
    constexpr std::chrono::milliseconds kLookedAgainAfter{300};
    std::set<std::string> known, may_come_back;
    for (const auto& table : line_.state().tables) {
        if (table.phase == TablePhase::kGone) continue;
        known.insert(table.ToString());
        // Where tables have no numbers the source's statements are not whole to who looks, either:
        // one that is being replaced is not there for a moment.
        if (table.id.empty()) may_come_back.insert(table.ToString());
    }
    found_ = BIWA_TRY(Find(source, IfMissing::kPassOver, known));
    for (const auto& table : found_) may_come_back.erase(table.ToString());
    if (!may_come_back.empty()) {
        std::this_thread::sleep_for(kLookedAgainAfter);
        found_ = BIWA_TRY(Find(source, IfMissing::kPassOver, known));
    }
    {
        // As it was found: what cannot be published is tried again when something has changed, and
        // not each time that somebody looks.
        std::lock_guard lock(mutex_);
        signature_ = Signature(found_);
    }
    auto to_publish = BIWA_TRY(CarryRenames(source));
    Hearings hearings;
    BIWA_TRY(PutOffUnheard(source, to_publish, hearings));
    BIWA_TRY(MindCopies(to_publish));
    // Once it is published nothing at the source tells that changes of it were missing.
    const auto is_first_carried = [](const TableStep& step) {
        return step.kind == TableStep::Kind::kRecopy && !IsPublished(*step.found);
    };
    for (const auto& step : to_publish) {
        if (is_first_carried(step)) BIWA_TRY(Carry(source, step));
    }
    if (!to_publish.empty()) {
        auto as_found = found_;
        BIWA_TRY(Publish(source, to_publish));
        // It is no news that they are published now.
        for (const auto& step : to_publish) {
            for (auto& table : as_found) {
                if (table.ToString() == step.table && table.is_published) table.is_published = true;
            }
        }
        std::lock_guard lock(mutex_);
        signature_ = Signature(as_found);
    }
    for (const auto& step : to_publish) {
        if (!is_first_carried(step)) BIWA_TRY(Carry(source, step));
    }
    auto recopies = BIWA_TRY(CompareColumns());
    BIWA_TRY(PutOffUnheard(source, recopies, hearings));
    for (const auto& step : recopies) BIWA_TRY(Carry(source, step));
    BIWA_TRY(NoteShapes(hearings));
    BIWA_TRY(HearWaiting(source, hearings));
    {
        std::lock_guard lock(mutex_);
        hearings_ = std::move(hearings);
    }
    board_.ShowTables(found_, line_.state().tables);
    return {};
}

// The publication follows a table whatever its name; all else is published by name. What else has
// become of a table is seen when it has the name of now.
Result<std::vector<TableStep>> TableKeeper::CarryRenames(StreamSource& source) {
    for (;;) {
        auto steps = CompareTables(line_.state().tables, found_);
        bool is_one_renamed = false;
        for (const auto& step : steps) {
            if (step.kind != TableStep::Kind::kRename) continue;
            BIWA_TRY(Carry(source, step));
            is_one_renamed = true;
        }
        if (!is_one_renamed) return steps;
    }
}

// What changes between the beginning of a copy and its table being published is in neither: a copy
// that has begun goes on without, and the next one is published before.
Status TableKeeper::MindCopies(std::vector<TableStep>& steps) {
    const auto is_of_waiting = [](const TableStep& step) {
        return step.kind == TableStep::Kind::kPublish;
    };
    if (std::none_of(steps.begin(), steps.end(), is_of_waiting)) return {};
    const bool are_published_otherwise =
        std::any_of(steps.begin(), steps.end(), [&](const TableStep& step) {
            const auto& known = *line_.state().Find(step.table);
            return is_of_waiting(step) && (known.part != step.found->part.ToString() ||
                                           known.inserts_only != step.found->columns.key.empty());
        });
    if (are_published_otherwise) {
        // The second line has a publication of its own, by which the application's updates fail.
        intake_.Pause();
        return intake_.Forget();
    }
    const auto begun = BIWA_TRY(intake_.Begun());
    std::erase_if(steps, [&](const TableStep& step) {
        return is_of_waiting(step) && begun.contains(step.table);
    });
    return {};
}

// What changes of a table need no copy of it are not to be looked at again; what does and was put
// off is.
Status TableKeeper::NoteShapes(const Hearings& put_off) {
    std::unique_ptr<WriteTransaction> transaction;
    std::vector<std::pair<StreamState::Table*, std::string>> changed;
    for (const auto& table : found_) {
        auto* known = line_.state().Find(table.ToString());
        auto shape = BooksOf(table.shape);
        if (known == nullptr || known->shape == shape || known->id != table.id ||
            put_off.contains(table.ToString()) ||
            (known->phase != TablePhase::kLive && known->phase != TablePhase::kCopying)) {
            continue;
        }
        if (!transaction) transaction = BIWA_TRY(warehouse_.Begin());
        auto noted = *known;
        noted.shape = shape;
        BIWA_TRY(SaveShape(*transaction, options_.name, noted));
        changed.emplace_back(known, std::move(shape));
    }
    if (!transaction) return {};
    BIWA_TRY(transaction->Commit());
    for (auto& [known, shape] : changed) known->shape = std::move(shape);
    return {};
}

// What alters a table's rows is not in the stream of changes, only that its columns are others: a
// table that nobody changes afterwards would not be heard of.
Result<std::vector<TableStep>> TableKeeper::CompareColumns() {
    std::vector<TableStep> steps;
    std::unique_ptr<WriteTransaction> transaction;
    TargetBooks books;
    for (const auto& table : found_) {
        const auto name = table.ToString();
        const auto* known = line_.state().Find(name);
        if (known == nullptr || known->phase != TablePhase::kLive) continue;
        auto signature = Signature(table);
        if (compared_[name] == signature) continue;
        if (!transaction) {
            transaction = BIWA_TRY(warehouse_.Begin());
            books = BIWA_TRY(TargetBooks::Read(*transaction, options_.dataset.name));
        }
        const auto fit = BIWA_TRY(FitTarget(*transaction,
                                            TargetTable(options_.dataset, table.schema, table.name),
                                            table.columns, books));
        compared_[name] = std::move(signature);
        if (!fit.recopy.empty()) {
            steps.push_back({TableStep::Kind::kRecopy, name, &table, fit.recopy});
            continue;
        }
        // Whoever applies changes may come to see it before that, and is not to know which rows
        // have values of the one before.
        if (!fit.back.empty()) {
            steps.push_back(
                {TableStep::Kind::kRecopy, name, &table,
                 fmt::format("column {} was dropped and made again", fit.back.front())});
            continue;
        }
        for (const auto& comment : fit.comments) BIWA_TRY(transaction->Execute(comment));
        if (!fit.may_be_booked_ahead || !fit.alter.empty()) continue;
        for (const auto& step : fit.books) BIWA_TRY(transaction->Execute(step));
    }
    if (transaction) BIWA_TRY(transaction->Commit());
    return steps;
}

// What is to be copied has to be published first: what changes in between comes twice.
Status TableKeeper::Publish(StreamSource& source, std::vector<TableStep>& steps) {
    using Kind = TableStep::Kind;
    std::set<std::string> added, named;
    for (const auto& step : steps) named.insert(step.table);
    const auto publish = [&] {
        std::vector<SourceTable> tables;
        std::set<std::string> as_they_are;
        for (const auto& table : found_) {
            const auto name = table.ToString();
            if (!table.refusal.empty()) continue;
            const auto* known = line_.state().Find(name);
            if (known == nullptr && !added.contains(name)) continue;
            // Changes of it are missing, which nobody could tell any more.
            if (known != nullptr && !IsPublished(table) && !named.contains(name)) continue;
            tables.push_back(table);
            if (known != nullptr && known->part == table.part.ToString() &&
                known->inserts_only == table.columns.key.empty()) {
                as_they_are.insert(name);
            }
        }
        return source.Publish(tables, as_they_are);
    };
    for (const auto& step : steps) {
        if (step.kind == Kind::kAdd) added.insert(step.table);
    }
    auto published = publish();
    if (published || published.error().kind != ErrorKind::kUser || added.empty()) return published;
    // A new table that is not ours to publish must not end the stream of the others, nor keep other
    // new ones out of it.
    const bool adds_only = std::all_of(
        steps.begin(), steps.end(), [](const TableStep& step) { return step.kind == Kind::kAdd; });
    added.clear();
    std::vector<TableStep> kept;
    for (auto& step : steps) {
        if (step.kind == Kind::kAdd) added.insert(step.table);
        published = publish();
        if (published) {
            kept.push_back(std::move(step));
            continue;
        }
        if (step.kind != Kind::kAdd || published.error().kind != ErrorKind::kUser) return published;
        added.erase(step.table);
        for (auto& table : found_) {
            if (table.ToString() != step.table) continue;
            table.refusal = "cannot be published: " + published.error().message;
            table.mend_sql = published.error().hint;
        }
    }
    steps = std::move(kept);
    // The others are published, even if they could not be now.
    if (steps.empty() && adds_only) return {};
    return publish();
}

Status TableKeeper::Carry(StreamSource& source, const TableStep& step) {
    using Kind = TableStep::Kind;
    auto& state = line_.state();
    // What was committed before somebody found out that it is gone comes still.
    const auto until = step.kind == Kind::kGone ? BIWA_TRY(source.Head()).order : 0;
    auto transaction = BIWA_TRY(warehouse_.Begin());
    LogInfo("stream {}: {} {}", options_.name, step.table, step.reason);
    if (step.kind == Kind::kAdd) {
        StreamState::Table table{
            .schema = step.found->schema, .name = step.found->name, .id = step.found->id};
        table.phase = TablePhase::kWaiting;
        table.reason = step.reason;
        table.inserts_only = step.found->columns.key.empty();
        table.part = step.found->part.ToString();
        BIWA_TRY(SaveTable(*transaction, options_.name, table));
        BIWA_TRY(transaction->Commit());
        state.tables.push_back(std::move(table));
        return {};
    }
    auto& table = *state.Find(step.table);
    if (step.kind == Kind::kRename) {
        const auto from = TargetTable(options_.dataset, table.schema, table.name);
        const HistoryTable before{options_.name, table.schema, table.name, from};
        BIWA_TRY(ForgetTable(*transaction, options_.name, table));
        table.schema = step.found->schema;
        table.name = step.found->name;
        const auto to = TargetTable(options_.dataset, table.schema, table.name);
        BIWA_TRY(RenameTarget(*transaction, from, to));
        BIWA_TRY(
            RenameHistory(*transaction, before, {options_.name, table.schema, table.name, to}));
    } else if (step.found != nullptr) {
        table.inserts_only = step.found->columns.key.empty();
        table.part = step.found->part.ToString();
    }
    if (step.kind != Kind::kRename && step.kind != Kind::kPublish) {
        table.Enter(step.kind == Kind::kGone ? TablePhase::kGone : TablePhase::kWaiting);
        table.until = until;
        table.reason = step.reason;
        table.ranges_left.clear();
    }
    BIWA_TRY(SaveTable(*transaction, options_.name, table));
    return transaction->Commit();
}

}  // namespace biwa
