#include "replication/applier.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/testing.h"
#include "replication/row_sql.h"
#include "replication/target_table.h"
#include "replication/testing.h"

namespace biwa {
namespace {

using namespace replication_testing;

void Play(KeyShape shape, std::uint64_t seed) {
    SCOPED_TRACE(fmt::format("key shape {} seed {}", static_cast<int>(shape), seed));
    World world(shape);
    History history(seed);
    auto applier = world.NewApplier();
    std::uint64_t position = 0;
    for (int commit = 0; commit < 12; ++commit) {
        const int batches = 1 + history.Roll(3);
        for (int batch = 0; batch < batches; ++batch) {
            std::vector<Change> changes;
            for (int i = history.Roll(12); i >= 0; --i) changes.push_back(history.Next());
            ++position;
            // Some batches end inside of a transaction.
            const bool ends = batch + 1 == batches || history.Roll(2) == 0;
            const auto added = applier->Add(BatchOf(shape, changes, world.schema,
                                                    ends ? std::optional(position) : std::nullopt));
            ASSERT_TRUE(added) << added.error().message;
        }
        // With haste or without is the same.
        const auto applied = commit % 2 == 0
                                 ? applier->Commit()
                                 : applier->CommitAtEase([commit] { return commit % 4 == 1; });
        ASSERT_TRUE(applied) << applied.error().message;
        EXPECT_EQ(applied->position.order, position);
        ASSERT_EQ(Stored(*world.warehouse), Lines(history.rows())) << "commit " << commit;
    }
    EXPECT_EQ(world.source.asked_for, 0) << "what the source left out is in the warehouse";
}

TEST(ApplierTest, ATableIsWhatItsChangesMadeIt) {
    for (const auto shape : {KeyShape::kInt, KeyShape::kText, KeyShape::kComposite,
                             KeyShape::kDouble, KeyShape::kDecimal, KeyShape::kList}) {
        for (std::uint64_t seed = 1; seed <= 8; ++seed) {
            Play(shape, seed);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(ApplierTest, WhatReadersSeeOfALargeTransactionAgreesWithThePosition) {
    constexpr std::uint64_t kCommits = 6;
    constexpr int kRows = 130'000;
    const TempFolder folder;
    DuckDbOptions options;
    options.path = folder.path() / "w.duckdb";
    {
        World world(KeyShape::kInt, SchemaOf(KeyShape::kInt), 0, 0, options);
        auto applier = world.NewApplier();
        // One for each commit: ThreadSanitizer loses count of the locks of the engine, which is not
        // instrumented, in a thread that queries for long, and never comes back.
        const auto read = [&](std::stop_token stop) {
            const auto session = *world.warehouse->OpenSession();
            while (!stop.stop_requested()) {
                const auto rows = *session->Query(
                    "SELECT (SELECT count(*) FROM raw.t WHERE id >= 0), (SELECT "
                    "max(position_order)::BIGINT FROM _biwa.streams)");
                const auto* block = *rows->Next();
                ASSERT_EQ(block->columns[0].Get<std::int64_t>(0),
                          block->columns[1].Get<std::int64_t>(0) * kRows);
            }
        };
        int key = 0;
        for (std::uint64_t commit = 1; commit <= kCommits; ++commit) {
            std::vector<Change> changes(kRows);
            for (auto& change : changes) change.row = {++key, key, "a text", ""};
            ASSERT_TRUE(applier->Add(BatchOf(KeyShape::kInt, changes, world.schema, commit)));
            const std::jthread reader(read);
            ASSERT_TRUE(applier->Commit());
        }
    }
}

// Two copies at different moments, whose ranges of pages rows may have left or come into in
// between; and then all changes since before the first.
void PlayOverlap(KeyShape shape, std::uint64_t seed) {
    SCOPED_TRACE(fmt::format("key shape {} seed {}", static_cast<int>(shape), seed));
    constexpr int kChanges = 60;
    World world(shape, kChanges, kChanges);
    History history(seed, 8);
    std::vector<Change> changes;
    std::vector<Rows> after = {{}};
    for (int i = 0; i < 8; ++i) history.Next();
    after[0] = history.rows();
    for (int i = 0; i < kChanges; ++i) {
        changes.push_back(history.Next());
        after.push_back(history.rows());
    }
    world.rows = history.rows();

    const auto first = static_cast<std::size_t>(history.Roll(kChanges));
    const auto second =
        first + static_cast<std::size_t>(history.Roll(kChanges - static_cast<int>(first) + 1));
    std::set<std::int64_t> changed;
    for (auto i = first; i < second; ++i) changed.insert(changes[i].row.id);
    std::map<std::int64_t, bool> in_first;
    std::vector<Row> stored;
    for (const auto& [key, row] : after[first]) {
        in_first[row.id] = history.Roll(2) == 0;
        if (in_first[row.id]) stored.push_back(row);
    }
    for (const auto& [key, row] : after[second]) {
        const bool was_there = in_first.contains(row.id);
        const bool copied =
            was_there && !changed.contains(row.id) ? !in_first[row.id] : history.Roll(2) == 0;
        if (copied) stored.push_back(row);
    }
    // A row that no change touched afterwards must be in one of the copies.
    for (const auto& [key, row] : after[second]) {
        bool touched = false;
        for (const auto& change : changes) {
            touched = touched || change.row.id == row.id || change.kind == Change::Kind::kTruncate;
        }
        const bool is_stored =
            std::any_of(stored.begin(), stored.end(),
                        [&, id = row.id](const Row& one) { return one.id == id; });
        ASSERT_TRUE(touched || is_stored);
    }
    world.Store(stored);

    auto applier = world.NewApplier();
    std::size_t next = 0;
    while (next < changes.size()) {
        const auto end =
            std::min(changes.size(), next + 1 + static_cast<std::size_t>(history.Roll(9)));
        const std::vector<Change> some(changes.begin() + static_cast<std::ptrdiff_t>(next),
                                       changes.begin() + static_cast<std::ptrdiff_t>(end));
        const auto added = applier->Add(BatchOf(shape, some, world.schema, end));
        ASSERT_TRUE(added) << added.error().message;
        if (history.Roll(2) == 0 || end == changes.size()) {
            const auto applied = applier->Commit();
            ASSERT_TRUE(applied) << applied.error().message;
        }
        next = end;
    }
    ASSERT_EQ(Stored(*world.warehouse), Lines(world.rows)) << first << " " << second;
}

TEST(ApplierTest, ACopyAtTwoMomentsBecomesRightByTheChangesSince) {
    for (const auto shape : {KeyShape::kInt, KeyShape::kText, KeyShape::kComposite}) {
        for (std::uint64_t seed = 1; seed <= 25; ++seed) {
            PlayOverlap(shape, seed);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(ApplierTest, ARowThatACopyMissedIsReadFromTheSource) {
    World world(KeyShape::kText, 10, 20);
    world.rows[1] = {1, 1, "new", "a large value that was left out"};
    Change change;
    change.kind = Change::Kind::kUpdate;
    change.old_key = 1;
    change.row = {1, 1, "new", ""};
    change.large_left_out = true;
    auto gone = change;
    gone.old_key = gone.row.key = 2;
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->Add(BatchOf(world.shape, {change, gone}, world.schema, 5)));
    const auto applied = applier->Commit();
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_EQ(Stored(*world.warehouse), Lines(world.rows));
    EXPECT_EQ(world.source.asked_for, 2);
    const auto state = ReadStreamState(*world.warehouse, "s");
    EXPECT_EQ(state->tables.at(0).overlap_until, 20u) << "what was read is ahead of the changes";
    EXPECT_EQ(applied->overlaps, (std::map<std::string, std::uint64_t>{{"public.t", 20}}));
}

TEST(ApplierTest, PositionAndRowsComeInOneTransaction) {
    World world(KeyShape::kInt);
    Change insert;
    insert.row = {1, 1, "a", "b"};
    {
        auto applier = world.NewApplier();
        ASSERT_TRUE(applier->Add(BatchOf(world.shape, {insert}, world.schema, 5)));
        EXPECT_TRUE(applier->can_commit());
        // Not committed: gone with the applier, and the writer is free again.
    }
    EXPECT_TRUE(Stored(*world.warehouse).empty());
    EXPECT_EQ(ReadStreamState(*world.warehouse, "s")->position.order, 0u);
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->Add(BatchOf(world.shape, {insert}, world.schema, 5)));
    ASSERT_TRUE(applier->Commit());
    EXPECT_EQ(Stored(*world.warehouse).size(), 1u);
    EXPECT_EQ(ReadStreamState(*world.warehouse, "s")->position.order, 5u);
}

TEST(ApplierTest, ATransactionLargerThanMemoryIsUnseenUntilItsEnd) {
    World world(KeyShape::kInt);
    auto applier = world.NewApplier();
    const std::string large(1 << 20, 'x');
    int key = 0;
    std::size_t held_most = 0;
    for (int batch = 0; batch < 16; ++batch) {
        std::vector<Change> changes;
        for (int i = 0; i < 20; ++i, ++key) {
            Change insert;
            insert.row = {key, key, large, "b"};
            changes.push_back(insert);
        }
        ASSERT_TRUE(applier->Add(BatchOf(world.shape, changes, world.schema, std::nullopt)));
        held_most = std::max(held_most, applier->bytes());
        EXPECT_FALSE(applier->can_commit());
        EXPECT_TRUE(Stored(*world.warehouse).empty());
    }
    EXPECT_LT(held_most, Applier::kBytesMax + (std::size_t{32} << 20));
    EXPECT_LT(applier->bytes(), Applier::kBytesMax) << "some of it has gone to the warehouse";
    Change last;
    last.kind = Change::Kind::kDelete;
    last.old_key = 0;
    ASSERT_TRUE(applier->Add(BatchOf(world.shape, {last}, world.schema, 9)));
    ASSERT_TRUE(applier->Commit());
    EXPECT_EQ(Stored(*world.warehouse).size(), static_cast<std::size_t>(key) - 1);
}

TEST(ApplierTest, FollowsAColumnThatIsAdded) {
    World world(KeyShape::kInt);
    auto applier = world.NewApplier();
    Change insert;
    insert.row = {1, 1, "a", "b"};
    ASSERT_TRUE(applier->Add(BatchOf(world.shape, {insert}, world.schema, 5)));
    auto wider = std::make_shared<TableSchema>(*world.schema);
    wider->columns.push_back({"added", {TypeId::kInt32}, true, ""});
    ChangeBatch batch;
    auto& part = batch.tables.emplace_back();
    part.schema = "public";
    part.name = "t";
    part.columns = wider;
    part.rows = RowStore(wider->columns);
    part.kinds = {ChangeKind::kInsert};
    const auto row = part.rows.AddRow();
    SetRow(
        world.shape, *world.schema, Row{2, 2, "c", ""},
        [&](std::size_t i) -> Cells& { return part.rows.cells(i); }, row,
        [&](const std::string& text) { return part.rows.arena().Copy(text); });
    part.rows.cells(wider->columns.size() - 1).Set<std::int32_t>(row, 7);
    batch.changes = 1;
    batch.commit = Position{6, "6"};
    const auto added = applier->Add(std::move(batch));
    ASSERT_TRUE(added) << added.error().message;
    ASSERT_TRUE(applier->Commit());
    EXPECT_EQ(Stored(*world.warehouse).size(), 2u);
}

// Changes of a table whose columns are of text, NULL where there is nothing.
struct TextChange {
    ChangeKind kind = ChangeKind::kInsert;
    std::vector<std::optional<std::string>> row;
    std::vector<std::optional<std::string>> old_row = {};  // where keys repeat, of updates
};

void SetTexts(const std::vector<std::optional<std::string>>& texts, RowStore& rows) {
    const auto row = rows.AddRow();
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (texts[i]) {
            rows.cells(i).Set(row, rows.arena().Copy(*texts[i]));
        } else {
            rows.cells(i).SetNull(row);
        }
    }
}

ChangeBatch TextBatch(const std::shared_ptr<const TableSchema>& schema,
                      const std::vector<TextChange>& changes, std::uint64_t commit) {
    ChangeBatch batch;
    auto& part = batch.tables.emplace_back();
    part.schema = "public";
    part.name = "t";
    part.columns = schema;
    part.rows = RowStore(schema->columns);
    part.old_keys = RowStore(schema->columns);
    for (const auto& change : changes) {
        SetTexts(change.row, part.rows);
        if (schema->key_repeats && change.kind == ChangeKind::kUpdate) {
            SetTexts(change.old_row, part.old_keys);
            part.key_changes.push_back({static_cast<std::uint32_t>(part.rows.rows() - 1),
                                        static_cast<std::uint32_t>(part.old_keys.rows() - 1)});
        }
        part.kinds.push_back(change.kind);
    }
    batch.changes = changes.size();
    batch.commit = Position{commit, fmt::format("{}", commit)};
    return batch;
}

TableSchema TextSchema(const std::vector<std::string>& names, std::size_t key_columns,
                       bool repeats = false) {
    TableSchema schema;
    std::int32_t number = 0;
    for (const auto& name : names) {
        schema.columns.push_back({name, {TypeId::kText}, true, ""});
        schema.columns.back().number = ++number;
    }
    for (std::size_t i = 0; i < key_columns; ++i) schema.key.push_back(i);
    schema.key_repeats = repeats;
    return schema;
}

// All rows of raw.t as text, sorted.
std::vector<std::string> Texts(Warehouse& warehouse) {
    std::vector<std::string> lines;
    const auto session = warehouse.OpenSession();
    const auto stream = (*session)->Query("SELECT COLUMNS(*)::VARCHAR FROM raw.t");
    EXPECT_TRUE(stream);
    while (const auto* block = *(*stream)->Next()) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            std::string line;
            for (const auto& cells : block->columns) {
                line += line.empty() ? "(" : ", ";
                line += cells.IsNull(row) ? "NULL" : cells.GetString(row);
            }
            lines.push_back(line + ")");
        }
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

TEST(ApplierTest, RowsThatAreAlikeAreCounted) {
    using TextRow = std::vector<std::optional<std::string>>;
    const auto line = [](const TextRow& row) {
        std::string text = "(";
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += (i == 0 ? "" : ", ") + row[i].value_or("NULL");
        }
        return text + ")";
    };
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        World world(KeyShape::kInt, TextSchema({"a", "b"}, 2, true), 0, 0);
        auto applier = world.NewApplier();
        std::mt19937_64 random(seed);
        const auto roll = [&](std::size_t sides) { return random() % sides; };
        const auto new_row = [&] {
            return TextRow{roll(4) == 0 ? std::nullopt : std::optional(std::to_string(roll(2))),
                           roll(4) == 0 ? std::nullopt : std::optional(std::to_string(roll(2)))};
        };
        std::vector<TextRow> rows;
        for (std::uint64_t commit = 1; commit <= 15; ++commit) {
            std::vector<TextChange> changes;
            for (auto i = roll(10); i > 0; --i) {
                const auto dice = roll(10);
                if (rows.empty() || dice < 5) {
                    changes.push_back({ChangeKind::kInsert, new_row()});
                    rows.push_back(changes.back().row);
                    continue;
                }
                const auto victim = rows.begin() + static_cast<std::ptrdiff_t>(roll(rows.size()));
                if (dice < 8) {
                    changes.push_back({ChangeKind::kUpdate, new_row(), *victim});
                    *victim = changes.back().row;
                } else {
                    changes.push_back({ChangeKind::kDelete, *victim});
                    rows.erase(victim);
                }
            }
            ASSERT_TRUE(applier->Add(TextBatch(world.schema, changes, commit)));
            if (roll(3) == 0) continue;
            const auto applied = applier->Commit();
            ASSERT_TRUE(applied) << applied.error().message;
            EXPECT_TRUE(applied->waiting.empty());
            std::vector<std::string> expected;
            for (const auto& row : rows) expected.push_back(line(row));
            std::sort(expected.begin(), expected.end());
            ASSERT_EQ(Texts(*world.warehouse), expected) << "commit " << commit;
        }
    }
}

TEST(ApplierTest, ATableThatHasLostItsRowsIsCopiedAnew) {
    World world(KeyShape::kInt, TextSchema({"a"}, 1, true), 0, 0);
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->Add(TextBatch(world.schema, {{ChangeKind::kDelete, {"not there"}}}, 1)));
    const auto applied = applier->Commit();
    ASSERT_TRUE(applied);
    ASSERT_EQ(applied->waiting.size(), 1u);
    EXPECT_EQ(ReadStreamState(*world.warehouse, "s")->tables.at(0).phase, TablePhase::kWaiting);
}

TEST(ApplierTest, WithoutAKeyInsertsAreAppendedAlikeOrNot) {
    World world(KeyShape::kInt, TextSchema({"a", "b"}, 0), 0, 0);
    auto applier = world.NewApplier();
    const TextChange same{ChangeKind::kInsert, {"x", std::nullopt}};
    ASSERT_TRUE(applier->Add(TextBatch(world.schema, {same, same}, 1)));
    ASSERT_TRUE(applier->Add(TextBatch(world.schema, {same}, 2)));
    ASSERT_TRUE(applier->Commit());
    EXPECT_EQ(Texts(*world.warehouse),
              (std::vector<std::string>{"(x, NULL)", "(x, NULL)", "(x, NULL)"}));
}

TEST(ApplierTest, ARenamedColumnHasItsValuesAndTheOldNameKeepsThem) {
    World world(KeyShape::kInt, TextSchema({"id", "old"}, 1), 0, 0);
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->Add(TextBatch(world.schema, {{ChangeKind::kInsert, {"1", "a"}}}, 1)));
    ASSERT_TRUE(applier->Commit());
    // Not committed before the change that is the first with the new name.
    ASSERT_TRUE(applier->Add(TextBatch(world.schema, {{ChangeKind::kInsert, {"2", "b"}}}, 2)));
    const auto renamed = std::make_shared<const TableSchema>(TextSchema({"id", "new"}, 1));
    ASSERT_TRUE(applier->Add(TextBatch(
        renamed, {{ChangeKind::kInsert, {"3", "c"}}, {ChangeKind::kUpdate, {"1", "d"}}}, 3)));
    const auto applied = applier->Commit();
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_TRUE(applied->waiting.empty());
    EXPECT_EQ(Texts(*world.warehouse),
              (std::vector<std::string>{"(1, a, d)", "(2, b, b)", "(3, NULL, c)"}));
}

TEST(ApplierTest, AColumnThatIsDroppedKeepsItsValuesAndOneOfItsNameIsAnother) {
    World world(KeyShape::kInt, TextSchema({"id", "gone", "text"}, 1), 0, 0);
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->Add(TextBatch(
        world.schema,
        {{ChangeKind::kInsert, {"1", "a", "x"}}, {ChangeKind::kInsert, {"2", "b", "y"}}}, 1)));
    auto fewer = TextSchema({"id", "gone", "text"}, 1);
    fewer.columns.erase(fewer.columns.begin() + 1);
    const auto dropped = std::make_shared<const TableSchema>(fewer);
    ASSERT_TRUE(applier->Add(TextBatch(
        dropped, {{ChangeKind::kUpdate, {"1", "new"}}, {ChangeKind::kInsert, {"3", "z"}}}, 2)));
    auto applied = applier->Commit();
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_EQ(Texts(*world.warehouse),
              (std::vector<std::string>{"(1, a, new)", "(2, b, y)", "(3, NULL, z)"}));

    auto again = fewer;
    again.columns.push_back({"gone", {TypeId::kText}, true, ""});
    again.columns.back().number = 4;
    ASSERT_TRUE(applier->Add(TextBatch(std::make_shared<const TableSchema>(again),
                                       {{ChangeKind::kInsert, {"4", "w", "other"}}}, 3)));
    applied = applier->Commit();
    ASSERT_TRUE(applied) << applied.error().message;
    ASSERT_EQ(applied->waiting.size(), 1u);
    EXPECT_NE(applied->waiting[0].reason.find("gone"), std::string::npos);
}

TEST(ApplierTest, RowsGetTheDefaultOfAColumnThatCameForAChangeThatIsReadAgain) {
    World world(KeyShape::kInt, TextSchema({"id", "text"}, 1), 0, 0);
    {
        auto applier = world.NewApplier();
        ASSERT_TRUE(applier->Add(
            TextBatch(world.schema,
                      {{ChangeKind::kInsert, {"1", "a"}}, {ChangeKind::kInsert, {"2", "b"}}}, 1)));
        ASSERT_TRUE(applier->Commit());
    }
    auto with_default = TextSchema({"id", "text", "added"}, 1);
    with_default.columns[2].fill = "dd";
    const auto added = std::make_shared<const TableSchema>(with_default);
    auto moved = TextBatch(world.schema, {{ChangeKind::kUpdate, {"10", "a"}}}, 4);
    moved.tables[0].old_keys = RowStore(KeyColumns(*world.schema));
    SetTexts({"1"}, moved.tables[0].old_keys);
    moved.tables[0].key_changes.push_back({0, 0});
    for (const bool is_again : {false, true}) {
        auto applier = world.NewApplier();
        ASSERT_TRUE(applier->Add(
            TextBatch(world.schema,
                      {{ChangeKind::kInsert, {"3", "c"}}, {ChangeKind::kUpdate, {"2", "d"}}}, 3)));
        if (is_again) {
            ASSERT_TRUE(applier->Add(std::move(moved)));
        }
        ASSERT_TRUE(applier->Add(TextBatch(added, {{ChangeKind::kInsert, {"4", "e", "f"}}}, 5)));
        // The first is cut off here: the column is there, and no change is.
        if (is_again) {
            const auto applied = applier->Commit();
            ASSERT_TRUE(applied) << applied.error().message;
            EXPECT_TRUE(applied->waiting.empty());
        }
    }
    EXPECT_EQ(Texts(*world.warehouse),
              (std::vector<std::string>{"(10, a, dd)", "(2, d, dd)", "(3, c, dd)", "(4, e, f)"}));
}

TEST(ApplierTest, AWiderTypeIsTakenAndAnotherTypeHasTheTableCopiedAnew) {
    const auto narrow = [] {
        TableSchema schema;
        schema.columns = {{"id", {TypeId::kInt32}, false, ""}};
        schema.key = {0};
        return schema;
    }();
    World world(KeyShape::kInt, narrow, 0, 0);
    auto applier = world.NewApplier();
    const auto batch = [](const TableSchema& schema, std::int64_t value, std::uint64_t commit) {
        ChangeBatch made;
        auto& part = made.tables.emplace_back();
        part.schema = "public";
        part.name = "t";
        part.columns = std::make_shared<const TableSchema>(schema);
        part.rows = RowStore(schema.columns);
        const auto row = part.rows.AddRow();
        if (schema.columns[0].type.id == TypeId::kInt32) {
            part.rows.cells(0).Set(row, static_cast<std::int32_t>(value));
        } else {
            part.rows.cells(0).Set(row, value);
        }
        part.kinds = {ChangeKind::kInsert};
        made.changes = 1;
        made.commit = Position{commit, ""};
        return made;
    };
    auto wide = narrow;
    wide.columns[0].type = {TypeId::kInt64};
    ASSERT_TRUE(applier->Add(batch(narrow, 1, 1)));
    ASSERT_TRUE(applier->Add(batch(wide, 5'000'000'000, 2)));
    // Gone before it was committed, and so read again.
    applier = world.NewApplier();
    ASSERT_TRUE(applier->Add(batch(narrow, 1, 1)));
    ASSERT_TRUE(applier->Add(batch(wide, 5'000'000'000, 2)));
    ASSERT_TRUE(applier->Add(batch(wide, 2, 3)));
    auto applied = applier->Commit();
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_TRUE(applied->waiting.empty());
    EXPECT_EQ(Texts(*world.warehouse), (std::vector<std::string>{"(1)", "(2)", "(5000000000)"}));

    // A narrower one may have changed the values.
    for (const auto type : {TypeId::kTimestamp, TypeId::kInt32}) {
        auto other = narrow;
        other.columns[0].type = {type};
        applier = world.NewApplier();
        ASSERT_TRUE(applier->Add(batch(other, 1, 4)));
        applied = applier->Commit();
        ASSERT_TRUE(applied) << applied.error().message;
        ASSERT_EQ(applied->waiting.size(), 1u);
        EXPECT_EQ(applied->waiting[0].reason,
                  fmt::format("column id was BIGINT and has become {}", ToSql(Type{type})));
        EXPECT_EQ(Texts(*world.warehouse).size(), 3u) << "readers keep what they had";
    }
}

TEST(ApplierTest, ManyTablesOfOneBatchAreLookedAtTogetherEachForItself) {
    TableSchema plain;
    plain.columns = {{"id", {TypeId::kInt64}, false, ""}};
    plain.key = {0};
    World world(KeyShape::kInt, plain, 0, 0);
    {
        auto transaction = world.warehouse->Begin();
        for (const auto* name : {"wider", "another", "twice"}) {
            auto& table = world.state.tables.emplace_back(world.state.tables[0]);
            table.name = name;
            ASSERT_TRUE(SaveTable(**transaction, "s", table));
            ASSERT_TRUE(PrepareTarget(**transaction, {"raw", name}, plain));
        }
        ASSERT_TRUE((*transaction)->Commit());
    }
    auto more = plain;
    more.columns.push_back({"n", {TypeId::kInt64}, true, ""});
    auto other = plain;
    other.columns[0].type = {TypeId::kTimestamp};
    ChangeBatch batch;
    const auto add = [&](const char* name, const TableSchema& schema, std::int64_t value) {
        auto& part = batch.tables.emplace_back();
        part.schema = "public";
        part.name = name;
        part.columns = std::make_shared<const TableSchema>(schema);
        part.rows = RowStore(schema.columns);
        const auto row = part.rows.AddRow();
        for (std::size_t i = 0; i < schema.columns.size(); ++i) part.rows.cells(i).Set(row, value);
        part.kinds = {ChangeKind::kInsert};
        ++batch.changes;
    };
    add("t", plain, 1);
    add("wider", more, 2);
    add("another", other, 3);
    add("twice", plain, 4);
    add("twice", more, 5);
    batch.commit = Position{1, ""};
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->Add(std::move(batch)));
    const auto applied = applier->Commit();
    ASSERT_TRUE(applied) << applied.error().message;
    ASSERT_EQ(applied->waiting.size(), 1u);
    EXPECT_EQ(applied->waiting[0].name, "another");
    const auto rows = [&](const char* table) {
        const auto session = *world.warehouse->OpenSession();
        const auto found = *session->Query(
            fmt::format("SELECT string_agg(x::VARCHAR, ' ' ORDER BY id) FROM raw.{} AS x", table));
        const auto& cells = (*found->Next())->columns[0];
        return cells.IsNull(0) ? std::string() : std::string(cells.GetString(0));
    };
    EXPECT_EQ(rows("t"), "{'id': 1}");
    EXPECT_EQ(rows("wider"), "{'id': 2, 'n': 2}");
    EXPECT_EQ(rows("another"), "");
    EXPECT_EQ(rows("twice"), "{'id': 4, 'n': NULL} {'id': 5, 'n': 5}");
}

TEST(ApplierTest, ChangesOfATableThatIsNotOfTheStreamAreAnError) {
    World world(KeyShape::kInt);
    auto applier = world.NewApplier();
    auto batch = BatchOf(world.shape, {}, world.schema, 5);
    batch.tables[0].name = "other";
    EXPECT_FALSE(applier->Add(std::move(batch)));
}

}  // namespace
}  // namespace biwa
