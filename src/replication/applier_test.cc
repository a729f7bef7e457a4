#include "replication/applier.h"

#include <gtest/gtest.h>

#include "replication/testing.h"

namespace biwa {
namespace {

using namespace replication_testing;

// Answers for rows that are asked for by key, with the table as it is in the end.
class EndOfHistory final : public StreamSource {
  public:
    EndOfHistory(KeyShape shape, const Rows& rows, std::uint64_t head)
        : shape_(shape), rows_(rows), head_(head) {}

    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable& table, const std::vector<std::vector<std::string>>& keys) override {
        EXPECT_EQ(table.ToString(), "public.t");
        std::vector<Row> found;
        for (const auto& key : keys) {
            ++asked_for;
            for (const auto& [number, row] : rows_) {
                if (KeyTexts(shape_, number) == key) found.push_back(row);
            }
        }
        return std::make_unique<RowsReader>(shape_, std::move(found));
    }
    Result<Position> Head() override { return Position{head_, ""}; }

    // Not of an applier's world.
    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>&) override {
        return UserError("no");
    }
    Status CheckStart() override { return UserError("no"); }
    Result<StreamStart> Start(const std::vector<SourceTable>&, bool) override {
        return UserError("no");
    }
    Status Publish(const std::vector<SourceTable>&) override { return UserError("no"); }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override { return UserError("no"); }
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<SourceTable>&,
                                                 const Position&) override {
        return UserError("no");
    }
    Result<SourceProgress> Progress() override { return UserError("no"); }
    Status Remove() override { return UserError("no"); }

    int asked_for = 0;

  private:
    const KeyShape shape_;
    const Rows& rows_;
    const std::uint64_t head_;
};

struct World {
    explicit World(KeyShape key_shape, std::uint64_t overlap_until = 0, std::uint64_t head = 0)
        : shape(key_shape),
          schema(std::make_shared<const TableSchema>(SchemaOf(key_shape))),
          source(key_shape, rows, head) {
        auto opened = OpenDuckDb({});
        EXPECT_TRUE(opened);
        warehouse = std::move(*opened);
        EXPECT_TRUE(PrepareStateTables(*warehouse));
        state.phase = StreamPhase::kStreaming;
        state.tables.push_back({"public", "t", overlap_until, true, {}});
        auto transaction = warehouse->Begin();
        EXPECT_TRUE(SavePhase(**transaction, "s", StreamPhase::kStreaming));
        EXPECT_TRUE(SaveTable(**transaction, "s", state.tables[0]));
        EXPECT_TRUE(PrepareTargetTable(**transaction, {"raw", "t"}, *schema));
        EXPECT_TRUE((*transaction)->Commit());
    }

    void Store(std::vector<Row> stored) {
        class Source final : public RowSource {
          public:
            Source(KeyShape shape, std::vector<Row> rows)
                : columns_(SchemaOf(shape).columns),
                  reader_(std::make_unique<RowsReader>(shape, std::move(rows))) {}
            const std::vector<Column>& columns() const override { return columns_; }
            std::size_t rows_estimate() const override { return 1; }
            Result<std::unique_ptr<RowReader>> Open() override { return std::move(reader_); }

          private:
            const std::vector<Column> columns_;
            std::unique_ptr<RowReader> reader_;
        };
        Source stored_source(shape, std::move(stored));
        auto transaction = warehouse->Begin();
        EXPECT_TRUE(
            (*transaction)
                ->ExecuteWith("INSERT INTO raw.t SELECT * FROM $rows", {{"rows", stored_source}}));
        EXPECT_TRUE((*transaction)->Commit());
    }

    std::unique_ptr<Applier> NewApplier() {
        return std::make_unique<Applier>(*warehouse, "s", "raw", state, source);
    }

    const KeyShape shape;
    const std::shared_ptr<const TableSchema> schema;
    Rows rows;  // as the source has them in the end
    EndOfHistory source;
    std::unique_ptr<Warehouse> warehouse;
    StreamState state;
};

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
        const auto applied = applier->Commit();
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

TEST(ApplierTest, FollowsAColumnThatIsAddedAndRefusesAChangedType) {
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

    auto other = std::make_shared<TableSchema>(*world.schema);
    other->columns[1].type = Type{TypeId::kDate};
    ChangeBatch changed;
    auto& bad = changed.tables.emplace_back();
    bad.schema = "public";
    bad.name = "t";
    bad.columns = other;
    bad.rows = RowStore(other->columns);
    const auto refused = applier->Add(std::move(changed));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kConflict);
    EXPECT_NE(refused.error().message.find("INTEGER"), std::string::npos);
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
