#include "replication/reconciler.h"

#include <gtest/gtest.h>

#include "replication/applier.h"
#include "replication/target_table.h"
#include "replication/testing.h"

namespace biwa {
namespace {

using namespace replication_testing;

constexpr auto kShape = KeyShape::kText;
constexpr int kMoving = 12;  // keys below change all the time; those above rest

// A source and the stream of its changes into a warehouse, in one thread: whenever the reconciler
// asks either for anything, both may have gone on.
class World final : public StreamSource, public ReconciledStream {
  public:
    World(Warehouse& warehouse, std::uint64_t seed) : warehouse_(warehouse), random_(seed) {
        std::vector<Change> first;
        for (int key = 100; key < 120; ++key) {
            first.push_back({Change::Kind::kInsert, 0, {key, key, "resting", "large"}, false});
        }
        for (const auto& change : first) Write(change);
        state_.tables.push_back({.schema = "public", .name = "t"});
        state_.tables[0].phase = TablePhase::kLive;
        EXPECT_TRUE(PrepareStateTables(warehouse_));
        {
            auto transaction = warehouse_.Begin();
            EXPECT_TRUE(PrepareTarget(**transaction, {"raw", "t"}, table().columns));
            EXPECT_TRUE((*transaction)->Commit());
        }
        while (applied_ < changes_.size()) Apply();
    }

    static SourceTable table() {
        SourceTable table;
        table.schema = "public";
        table.name = "t";
        table.columns = SchemaOf(kShape);
        return table;
    }
    KeyWatch& watch() { return watch_; }
    // The world stands still.
    void Rest() {
        rests_ = true;
        while (applied_ < changes_.size()) Apply();
    }
    const Rows& rows() const { return rows_; }

    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>&, IfMissing) override {
        return std::vector<SourceTable>{table()};
    }
    Status CheckStart() override { return {}; }
    Result<StreamStart> Start(const std::vector<SourceTable>&, bool) override {
        return Corrupt("is started");
    }
    Status Publish(const std::vector<SourceTable>&, const std::set<std::string>&) override {
        return {};
    }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override {
        Move();
        return std::make_unique<Snapshot>(*this, rows_);
    }
    Result<std::string> CheckHistory(const std::string&, const Position&) override { return ""; }
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>&, const Position&,
                                                 std::chrono::milliseconds) override {
        return Corrupt("is followed");
    }
    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable&, const KeyRange&) override {
        return Unavailable("nobody asks for keys here");
    }
    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable&, const std::vector<std::vector<std::string>>& keys) override {
        Move();
        std::vector<Row> found;
        for (const auto& key : keys) {
            for (const auto& [number, row] : rows_) {
                if (KeyTexts(kShape, number) == key) found.push_back(row);
            }
        }
        return std::make_unique<RowsReader>(kShape, std::move(found));
    }
    Result<Position> Head() override {
        Move();
        const Position head{changes_.size(), ""};
        Move();
        return head;
    }
    Result<SourceProgress> Progress() override { return Unavailable("not told"); }
    Status Remove() override { return {}; }

    Result<bool> HasApplied(const Position& position) const override {
        auto& self = const_cast<World&>(*this);
        if (applied_ < position.order) self.Apply();
        const bool has = applied_ >= position.order;
        self.Move();
        return has;
    }
    Status Repair(const SourceTable& table,
                  const std::vector<std::vector<std::string>>& keys) override {
        Move();
        const bool rested = std::exchange(rests_, true);
        {
            auto transaction = BIWA_TRY(warehouse_.Begin());
            const auto until = BIWA_TRY(RepairRows(*transaction, *this, table, {"raw", "t"}, keys));
            state_.tables[0].overlap_until = until.order;
            BIWA_TRY(transaction->Commit());
        }
        rests_ = rested;
        return {};
    }
    void OnParts(std::size_t, std::size_t) override {}

  private:
    class Snapshot final : public SnapshotReader {
      public:
        Result<bool> AreCurrent(const SourceTable&, const std::vector<SnapshotRange>&) override {
            return true;
        }
        Snapshot(World& world, Rows rows) : world_(world), rows_(std::move(rows)) {}
        Result<std::vector<SnapshotRange>> Split(const SourceTable&) override {
            return std::vector<SnapshotRange>{{"0", 1}, {"1", 1}, {"2", 1}};
        }
        Result<std::unique_ptr<RowReader>> Read(const SourceTable&,
                                                const SnapshotRange& range) override {
            world_.Move();
            std::vector<Row> rows;
            for (const auto& [key, row] : rows_) {
                if (std::to_string(row.id % 3) == range.text) rows.push_back(row);
            }
            return std::make_unique<RowsReader>(kShape, std::move(rows));
        }
        std::uint64_t unrepresentable() const override { return 0; }

      private:
        World& world_;
        const Rows rows_;
    };

    void Write(const Change& change) {
        History::Apply(change, rows_);
        changes_.push_back(change);
    }
    // Rows come, go, swing between two values and change their keys.
    void WriteAny() {
        const auto roll = [&](int sides) {
            return static_cast<int>(random_() % static_cast<unsigned>(sides));
        };
        const int key = roll(kMoving);
        const auto* text = roll(2) == 0 ? "one" : "the other, which is longer";
        if (!rows_.contains(key)) {
            return Write({Change::Kind::kInsert, 0, {key, key, text, "large"}, false});
        }
        if (roll(3) == 0) return Write({Change::Kind::kDelete, key, {}, false});
        auto row = rows_[key];
        row.text = text;
        if (const int other = roll(kMoving); roll(4) == 0 && !rows_.contains(other)) {
            row.key = other;
        }
        Write({Change::Kind::kUpdate, key, row, roll(2) == 0});
    }
    void Move() {
        if (rests_) return;
        for (auto n = random_() % 4; n > 0; --n) WriteAny();
        if (random_() % 3 == 0) Apply();
    }
    void Apply() {
        const auto end =
            applied_ + std::min<std::uint64_t>(changes_.size() - applied_, 1 + random_() % 6);
        if (end == applied_) return;
        const std::vector<Change> some(changes_.begin() + static_cast<std::ptrdiff_t>(applied_),
                                       changes_.begin() + static_cast<std::ptrdiff_t>(end));
        auto batch =
            BatchOf(kShape, some, std::make_shared<const TableSchema>(SchemaOf(kShape)), end);
        // Not to be moved on from within.
        const bool rested = std::exchange(rests_, true);
        for (const auto& changes : batch.tables) watch_.Note(changes);
        Applier applier(
            warehouse_, "s", state_,
            [](const auto&) {
                return TableName{"raw", "t"};
            },
            *this);
        ASSERT_TRUE(applier.Add(std::move(batch)));
        const auto committed = applier.Commit();
        ASSERT_TRUE(committed) << committed.error().message;
        rests_ = rested;
        applied_ = end;
        state_.position = Position{end, ""};
    }

    Warehouse& warehouse_;
    std::mt19937_64 random_;
    KeyWatch watch_;
    StreamState state_;
    Rows rows_;
    std::vector<Change> changes_;
    std::uint64_t applied_ = 0;
    bool rests_ = false;
};

Result<TableComparison> Compare(Warehouse& warehouse, World& world, bool repair = false) {
    ReconcileOptions options;
    options.repair = repair;
    options.share = 1;
    options.between_looks = std::chrono::milliseconds(0);
    Reconciler reconciler(warehouse, world, world, world.watch(), options, {});
    return reconciler.Compare(World::table(), {"raw", "t"});
}

void Spoil(Warehouse& warehouse) {
    auto transaction = warehouse.Begin();
    ASSERT_TRUE(
        (*transaction)
            ->Execute(
                "DELETE FROM raw.t WHERE k = 101; UPDATE raw.t SET text = 'another' WHERE k = 102; "
                "INSERT INTO raw.t SELECT * REPLACE ('nobody''s' AS \"Key \"\"1\"\"\") FROM raw.t "
                "WHERE k "
                "= 103; INSERT INTO raw.t FROM raw.t WHERE k = 104"));
    ASSERT_TRUE((*transaction)->Commit());
}

std::vector<std::string> Named(const TableComparison& result) {
    std::vector<std::string> names;
    for (const auto& row : result.keys) {
        names.push_back(std::string(ToString(row.difference)) + " " + row.ToString());
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> Spoilt() {
    std::vector<std::string> names = {"missing " + KeyTexts(kShape, 101)[0],
                                      "different " + KeyTexts(kShape, 102)[0], "extra nobody's",
                                      "different " + KeyTexts(kShape, 104)[0]};
    std::sort(names.begin(), names.end());
    return names;
}

TEST(ReconcilerTest, RowsOnTheirWayAreNeverCalledDifferent) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE(seed);
        const auto warehouse = OpenDuckDb({});
        ASSERT_TRUE(warehouse);
        World world(**warehouse, seed);
        const auto result = Compare(**warehouse, world);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->outcome, TableComparison::Outcome::kEqual);
        EXPECT_EQ(Named(*result), std::vector<std::string>());
    }
}

TEST(ReconcilerTest, RowsThatDifferAreFoundAndRepairedWhileOthersMove) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE(seed);
        const auto warehouse = OpenDuckDb({});
        ASSERT_TRUE(warehouse);
        World world(**warehouse, seed);
        Spoil(**warehouse);
        auto result = Compare(**warehouse, world);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->outcome, TableComparison::Outcome::kDiffers);
        EXPECT_EQ(Named(*result), Spoilt());
        EXPECT_EQ(result->missing, 1u);
        EXPECT_EQ(result->extra, 1u);
        EXPECT_EQ(result->different, 2u);

        result = Compare(**warehouse, world, true);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->outcome, TableComparison::Outcome::kRepaired) << result->reason;
        EXPECT_EQ(Named(*result), Spoilt());
        EXPECT_EQ(result->repaired, 4u);
        world.Rest();
        EXPECT_EQ(Stored(**warehouse), Lines(world.rows()));
    }
}

TEST(ReconcilerTest, ATableThatItsStreamDoesNotFitAtTheMomentIsNotCompared) {
    const auto warehouse = OpenDuckDb({});
    ASSERT_TRUE(warehouse);
    World world(**warehouse, 1);
    auto table = World::table();
    table.columns.columns.push_back({"new", {TypeId::kText}, true, ""});
    Reconciler reconciler(**warehouse, world, world, world.watch(), {}, {});
    const auto result = reconciler.Compare(table, {"raw", "t"});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, TableComparison::Outcome::kNotCompared);
    EXPECT_NE(result->reason.find("columns"), std::string::npos);
}

}  // namespace
}  // namespace biwa
