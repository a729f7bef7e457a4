#include "replication/stream_runner.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <map>

#include "replication/testing.h"

namespace biwa {
namespace {

using namespace replication_testing;
using std::chrono::milliseconds;

// A database in this process: a history of one-change commits at positions 1, 2, …, of which the
// n-th is the state after n. Each connection may break at any moment.
struct Server {
    explicit Server(std::uint64_t seed) : history(seed), random(seed + 1) {
        for (int i = 0; i < 10; ++i) Write();
    }
    void Write() {
        changes.push_back(history.Next());
        states.push_back(history.rows());
    }
    bool Breaks() { return faults && random() % 8 == 0; }

    std::mutex mutex;
    History history;
    std::mt19937_64 random;
    std::vector<Change> changes;
    std::vector<Rows> states = {{}};  // [n]: after n changes
    bool faults = true;
    // Of each line of the stream: whether it has a slot, and what it has acknowledged.
    std::map<std::string, bool> slots;
    bool slot_is_foreign = false;
    std::map<std::string, std::uint64_t> acknowledged;
    std::uint64_t heard = 0;  // how often a client has told what it has
    // Of its log, for each line; and whether no copy is read to its end.
    std::map<std::string, std::uint64_t> retained;
    bool holds_copies = false;
    std::uint64_t copies_held = 0;
    std::string table_id = "1";
    std::string name;  // changes when another one has taken over
    std::vector<SourceTable> extra_tables;
};

constexpr auto kShape = KeyShape::kText;

SourceTable TheTable() {
    SourceTable table;
    table.schema = "public";
    table.name = "t";
    table.columns = SchemaOf(kShape);
    return table;
}

// Ranges are those of row->id % 4, so that a row stays in its range; a resumed copy reads later.
class Snapshot final : public SnapshotReader {
  public:
    std::uint64_t unrepresentable() const override { return 0; }
    Result<bool> AreCurrent(const SourceTable&, const std::vector<SnapshotRange>&) override {
        return true;
    }
    Snapshot(Server& server, Rows rows) : server_(server), rows_(std::move(rows)) {}
    Result<std::vector<SnapshotRange>> Split(const SourceTable&) override {
        return std::vector<SnapshotRange>{{"0", 1}, {"1", 1}, {"2", 1}, {"3", 1}};
    }
    Result<std::unique_ptr<RowReader>> Read(const SourceTable&,
                                            const SnapshotRange& range) override {
        std::lock_guard lock(server_.mutex);
        if (server_.holds_copies) ++server_.copies_held;
        if (server_.holds_copies || server_.Breaks()) return Unavailable("the copy broke");
        std::vector<Row> rows;
        for (const auto& [key, row] : rows_) {
            if (std::to_string(row.id % 4) == range.text) rows.push_back(row);
        }
        return std::make_unique<RowsReader>(kShape, std::move(rows));
    }

  private:
    Server& server_;
    const Rows rows_;
};

class Changes final : public ChangeSource {
  public:
    Changes(Server& server, std::string line, std::uint64_t next,
            const std::vector<FollowedTable>& tables)
        : server_(server), line_(std::move(line)), next_(next) {
        for (const auto& followed : tables) {
            if (followed.table.name == "t") from_ = followed.from;
        }
    }
    Result<std::optional<ChangeBatch>> Poll(const Position& durable,
                                            milliseconds timeout) override {
        std::unique_lock lock(server_.mutex);
        BIWA_TRY(Hear(durable));
        if (server_.Breaks()) return Unavailable("the connection broke");
        if (next_ == server_.changes.size()) {
            lock.unlock();
            std::this_thread::sleep_for(std::min(timeout, milliseconds(2)));
            return std::optional<ChangeBatch>();
        }
        const auto count =
            std::min<std::uint64_t>(server_.changes.size() - next_, 1 + server_.random() % 5);
        std::vector<Change> some;
        for (; some.size() < count; ++next_) some.push_back(server_.changes[next_]);
        // Those before the table came to the line are passed over.
        const auto first = next_ - count;
        const auto known = std::min(count, from_ > first ? from_ - first : 0);
        some.erase(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(known));
        auto batch = BatchOf(kShape, some, schema_, next_);
        if (some.empty()) batch.tables.clear();
        return std::optional(std::move(batch));
    }
    Status Acknowledge(const Position& durable) override {
        std::lock_guard lock(server_.mutex);
        // What was read before the connection broke can still be polled.
        if (server_.Breaks()) return Unavailable("the connection broke");
        return Hear(durable);
    }
    std::uint64_t unrepresentable() const override { return 0; }

  private:
    Status Hear(const Position& durable) {
        ++server_.heard;
        auto& acknowledged = server_.acknowledged[line_];
        acknowledged = std::max(acknowledged, durable.order);
        return {};
    }

    Server& server_;
    const std::string line_;
    std::uint64_t next_;
    std::uint64_t from_ = std::numeric_limits<std::uint64_t>::max();
    const std::shared_ptr<const TableSchema> schema_ =
        std::make_shared<const TableSchema>(SchemaOf(kShape));
};

class Source final : public StreamSource {
  public:
    Source(Server& server, std::string line) : server_(server), line_(std::move(line)) {}
    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>&, IfMissing) override {
        std::lock_guard lock(server_.mutex);
        std::vector<SourceTable> tables = {TheTable()};
        tables[0].id = server_.table_id;
        tables.insert(tables.end(), server_.extra_tables.begin(), server_.extra_tables.end());
        return tables;
    }
    Status CheckStart() override {
        std::lock_guard lock(server_.mutex);
        if (server_.slots[line_]) return UserError("the slot is there already");
        return {};
    }
    Result<StreamStart> Start(const std::vector<SourceTable>&, bool replace) override {
        std::lock_guard lock(server_.mutex);
        EXPECT_FALSE(server_.slot_is_foreign) << "another's slot must not be replaced";
        if (server_.slots[line_] && !replace) return UserError("the slot is there already");
        server_.slots[line_] = true;
        server_.acknowledged[line_] = 0;
        if (server_.Breaks()) return Unavailable("the connection broke after the slot was made");
        StreamStart start;
        const auto now = server_.changes.size();
        start.position = Position{now, std::to_string(now)};
        start.snapshot = std::make_unique<Snapshot>(server_, server_.states[now]);
        return start;
    }
    Status Publish(const std::vector<SourceTable>&, const std::set<std::string>&) override {
        return {};
    }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override {
        std::lock_guard lock(server_.mutex);
        return std::make_unique<Snapshot>(server_, server_.states.back());
    }
    Result<std::string> CheckHistory(const std::string&, const Position&) override {
        std::lock_guard lock(server_.mutex);
        return server_.name;
    }
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>& tables,
                                                 const Position& from, milliseconds) override {
        std::lock_guard lock(server_.mutex);
        if (server_.Breaks()) return Unavailable("no connection");
        if (from.order < server_.acknowledged[line_]) {
            return Fail(ErrorKind::kConflict, "what was acknowledged is gone");
        }
        return std::make_unique<Changes>(server_, line_, from.order, tables);
    }
    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable&, const KeyRange&) override {
        return Unavailable("nobody asks for keys here");
    }
    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable&, const std::vector<std::vector<std::string>>& keys) override {
        std::lock_guard lock(server_.mutex);
        std::vector<Row> found;
        for (const auto& key : keys) {
            for (const auto& [number, row] : server_.states.back()) {
                if (KeyTexts(kShape, number) == key) found.push_back(row);
            }
        }
        return std::make_unique<RowsReader>(kShape, std::move(found));
    }
    Result<Position> Head() override {
        std::lock_guard lock(server_.mutex);
        return Position{server_.changes.size(), ""};
    }
    Result<SourceProgress> Progress() override {
        std::lock_guard lock(server_.mutex);
        SourceProgress progress;
        progress.retained_bytes = server_.retained[line_];
        return progress;
    }
    Status Remove() override {
        std::lock_guard lock(server_.mutex);
        EXPECT_FALSE(server_.slot_is_foreign) << "another's slot must not be removed";
        server_.slots[line_] = false;
        return {};
    }

  private:
    Server& server_;
    const std::string line_;
};

std::unique_ptr<StreamRunner> NewRunner(Warehouse& warehouse, Server& server,
                                        std::size_t queue_bytes_max = 32 << 20,
                                        LogGuard guard = {}) {
    StreamOptions options;
    options.log_guard = guard;
    options.name = "s";
    options.dataset = "raw";
    options.tables = {"*"};
    options.commit_every = milliseconds(3);
    options.queue_bytes_max = queue_bytes_max;
    options.snapshot.slice = milliseconds(0);
    options.retry_first = milliseconds(2);
    options.discover_every = milliseconds(5);
    return std::make_unique<StreamRunner>(
        warehouse, std::move(options),
        [&](const std::string& line) -> Result<std::unique_ptr<StreamSource>> {
            return std::make_unique<Source>(server, line);
        },
        nullptr);
}

bool WaitUntil(const std::function<bool()>& done) {
    for (int i = 0; i < 4000; ++i) {
        if (done()) return true;
        std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
}

// How many histories are played; each takes a part of a second.
std::uint64_t Seeds(std::uint64_t usually) {
    const char* text = std::getenv("BIWA_SEEDS");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : usually;
}

// Waits until the runner is where the source is, with nothing breaking any more.
void Settle(StreamRunner& runner, Server& server) {
    std::uint64_t end = 0;
    {
        std::lock_guard lock(server.mutex);
        server.faults = false;
        end = server.changes.size();
    }
    // The position alone does not do: the last connection may have broken, while faults were on,
    // after everything was committed.
    ASSERT_TRUE(WaitUntil([&] {
        const auto status = runner.status();
        return status.state == StreamStatus::State::kFailed ||
               (status.state == StreamStatus::State::kStreaming &&
                status.position == std::to_string(end));
    }));
    const auto status = runner.status();
    ASSERT_FALSE(status.error) << status.error->message;
}

TEST(StreamRunnerTest, WhateverBreaksTheTableBecomesThatOfTheSource) {
    for (std::uint64_t seed = 1; seed <= Seeds(12); ++seed) {
        SCOPED_TRACE(seed);
        auto opened = OpenDuckDb({});
        ASSERT_TRUE(opened);
        Server server(seed);
        // A queue that holds one batch at a time makes the reader acknowledge while it waits.
        const std::size_t queue_bytes = seed % 2 == 0 ? 1 : 32 << 20;
        auto runner = NewRunner(**opened, server, queue_bytes);
        for (int step = 0; step < 40; ++step) {
            {
                std::lock_guard lock(server.mutex);
                for (int i = 0; i < 5; ++i) server.Write();
            }
            std::this_thread::sleep_for(milliseconds(3));
            if (step % 13 == 12) {
                runner.reset();
                runner = NewRunner(**opened, server, queue_bytes);
            }
        }
        ASSERT_NO_FATAL_FAILURE(Settle(*runner, server));
        runner.reset();
        EXPECT_EQ(Stored(**opened), Lines(server.states.back()));
        EXPECT_LE(server.acknowledged["s"], server.changes.size());
    }
}

TEST(StreamRunnerTest, WhateverBreaksInTheWarehouseNothingIsLostAndNothingAcknowledgedTooEarly) {
    std::array<int, BrokenWarehouse::kMoments> broken{};
    for (std::uint64_t seed = 1; seed <= Seeds(8); ++seed) {
        SCOPED_TRACE(seed);
        auto opened = OpenDuckDb({});
        ASSERT_TRUE(opened);
        BrokenWarehouse warehouse(**opened, seed);
        warehouse.BreakOneIn(9);
        Server server(seed);
        server.faults = seed % 2 == 0;
        auto runner = NewRunner(warehouse, server);
        for (int step = 0; step < 60; ++step) {
            {
                std::lock_guard lock(server.mutex);
                for (int i = 0; i < 3; ++i) server.Write();
            }
            std::this_thread::sleep_for(milliseconds(4));
            std::uint64_t acknowledged = 0;
            {
                std::lock_guard lock(server.mutex);
                acknowledged = server.acknowledged["s"];
            }
            // Asked for afterwards, so that it can only be further on.
            const auto state = ReadStreamState(**opened, "s");
            if (state) {
                EXPECT_GE(state->position.order, acknowledged);
            }
            if (step % 17 == 16) {
                runner.reset();
                runner = NewRunner(warehouse, server);
            }
        }
        warehouse.BreakOneIn(0);
        ASSERT_NO_FATAL_FAILURE(Settle(*runner, server));
        runner.reset();
        EXPECT_EQ(Stored(**opened), Lines(server.states.back()));
        for (std::size_t i = 0; i < broken.size(); ++i) broken[i] += warehouse.broken()[i];
    }
    for (const auto count : broken) EXPECT_GT(count, 0) << "a moment at which nothing broke";
}

TEST(StreamRunnerTest, AWarehouseThatStandsStillHoldsTheSourceUpAndNoMoreMemory) {
    auto opened = OpenDuckDb({});
    ASSERT_TRUE(opened);
    BrokenWarehouse warehouse(**opened, 1);
    Server server(1);
    server.faults = false;
    constexpr std::size_t kQueueBytes = 64 << 10;
    auto runner = NewRunner(warehouse, server, kQueueBytes);
    ASSERT_NO_FATAL_FAILURE(Settle(*runner, server));
    warehouse.Stall(true);
    {
        std::lock_guard lock(server.mutex);
        for (int i = 0; i < 20'000; ++i) server.Write();
    }
    ASSERT_TRUE(WaitUntil([&] { return runner->status().queue_bytes > kQueueBytes / 2; }));
    const auto heard = [&] {
        std::lock_guard lock(server.mutex);
        return server.heard;
    };
    const auto before = heard();
    std::size_t most = 0;
    for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(milliseconds(20));
        most = std::max(most, runner->status().queue_bytes);
    }
    // What does not fit waits outside: one batch of at most five changes.
    EXPECT_LE(most, kQueueBytes + (16 << 10));
    EXPECT_GT(heard(), before) << "the source has to hear of us, or it gives the connection up";
    warehouse.Stall(false);
    ASSERT_NO_FATAL_FAILURE(Settle(*runner, server));
    runner.reset();
    EXPECT_EQ(Stored(**opened), Lines(server.states.back()));
}

TEST(StreamRunnerTest, ATableThatIsMadeAnewIsCopiedBesideTheStreamWhateverBreaks) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE(seed);
        auto opened = OpenDuckDb({});
        ASSERT_TRUE(opened);
        Server server(seed);
        auto runner = NewRunner(**opened, server);
        for (int step = 0; step < 60; ++step) {
            {
                std::lock_guard lock(server.mutex);
                for (int i = 0; i < 3; ++i) server.Write();
                if (step % 15 == 7) server.table_id = std::to_string(step);
            }
            std::this_thread::sleep_for(milliseconds(4));
            if (step % 25 == 24) {
                runner.reset();
                runner = NewRunner(**opened, server);
            }
        }
        std::uint64_t end = 0;
        {
            std::lock_guard lock(server.mutex);
            server.faults = false;
            end = server.changes.size();
        }
        const auto is_done = [&] {
            const auto status = runner->status();
            return status.state == StreamStatus::State::kFailed ||
                   (status.state == StreamStatus::State::kStreaming &&
                    status.position == std::to_string(end) &&
                    status.tables.at(0).state == StreamStatus::TableState::kLive);
        };
        const auto is_known = [&] {
            const auto state = ReadStreamState(**opened, "s");
            return state && state->tables.at(0).id == server.table_id && is_done();
        };
        ASSERT_TRUE(WaitUntil(is_known)) << ToString(runner->status().state);
        const auto status = runner->status();
        ASSERT_FALSE(status.error) << status.error->message;
        ASSERT_TRUE(WaitUntil([&] {
            std::lock_guard lock(server.mutex);
            return !server.slots[JoinName("s")];
        })) << "the second line must leave nothing at the source";
        runner.reset();
        EXPECT_EQ(Stored(**opened), Lines(server.states.back()));
    }
}

TEST(StreamRunnerTest, ASlotThatIsThereBeforeTheFirstStartIsLeftAlone) {
    auto opened = OpenDuckDb({});
    ASSERT_TRUE(opened);
    Server server(1);
    server.slots["s"] = server.slot_is_foreign = true;
    for (int restart = 0; restart < 2; ++restart) {
        const auto runner = NewRunner(**opened, server);
        ASSERT_TRUE(
            WaitUntil([&] { return runner->status().state == StreamStatus::State::kFailed; }));
        EXPECT_NE(runner->status().error->message.find("already"), std::string::npos);
    }
}

TEST(StreamRunnerTest, TablesAndColumnsThatDifferInCapitalsOnlyAreRefused) {
    auto opened = OpenDuckDb({});
    ASSERT_TRUE(opened);
    Server server(1);
    server.faults = false;
    auto clash = TheTable();
    clash.name = "T";
    auto columns = TheTable();
    columns.name = "u";
    columns.columns.columns.push_back({"TEXT", {TypeId::kText}, true, ""});
    server.extra_tables = {clash, columns};
    const auto runner = NewRunner(**opened, server);
    ASSERT_TRUE(
        WaitUntil([&] { return runner->status().state == StreamStatus::State::kStreaming; }));
    const auto tables = runner->status().tables;
    ASSERT_EQ(tables.size(), 3u);
    EXPECT_EQ(tables[0].state, StreamStatus::TableState::kLive);
    for (std::size_t i = 1; i < 3; ++i) {
        EXPECT_EQ(tables[i].state, StreamStatus::TableState::kRefused);
        EXPECT_FALSE(tables[i].notes.empty());
    }
}

TEST(StreamRunnerTest, ACopyFromAServerThatWasLostBeginsAnewAtTheOneThatTookOver) {
    auto opened = OpenDuckDb({});
    ASSERT_TRUE(opened);
    Server server(1);
    server.faults = false;
    server.holds_copies = true;
    server.name = "first";
    const auto runner = NewRunner(**opened, server);
    const auto copies_from = [&](const char* name) {
        const auto state = ReadStreamState(**opened, "s");
        return state && state->history == name;
    };
    ASSERT_TRUE(WaitUntil([&] {
        std::lock_guard lock(server.mutex);
        return server.copies_held > 0;
    }));
    ASSERT_TRUE(copies_from("first"));
    {
        std::lock_guard lock(server.mutex);
        server.name = "second";
        server.holds_copies = false;
        server.Write();
    }
    ASSERT_TRUE(WaitUntil([&] {
        const auto status = runner->status();
        return copies_from("second") && status.state == StreamStatus::State::kStreaming &&
               status.tables.at(0).state == StreamStatus::TableState::kLive;
    })) << runner->status().tables.at(0).reason;
    std::lock_guard lock(server.mutex);
    // Beside, from the start: what had been copied may be what only the first server had.
    EXPECT_TRUE(server.acknowledged.contains(JoinName("s")));
    EXPECT_EQ(Stored(**opened), Lines(server.states.back()));
}

TEST(StreamRunnerTest, ACopyForWhichTheSourceKeepsTooMuchIsGivenUpAndTheStreamGoesOn) {
    auto opened = OpenDuckDb({});
    ASSERT_TRUE(opened);
    Server server(1);
    server.faults = false;
    const auto runner = NewRunner(**opened, server, 32 << 20, {100, 1000});
    const auto state = [&] { return runner->status().tables.at(0).state; };
    const auto is_live = [&] {
        const auto status = runner->status();
        return status.state == StreamStatus::State::kStreaming &&
               status.tables.at(0).state == StreamStatus::TableState::kLive;
    };
    ASSERT_TRUE(WaitUntil(is_live));
    {
        std::lock_guard lock(server.mutex);
        server.holds_copies = true;
        server.retained[JoinName("s")] = 5000;
    }
    ASSERT_TRUE(runner->Ask(StreamRequest::kRecopy, {"t"}));
    ASSERT_TRUE(WaitUntil([&] {
        return runner->status().tables.at(0).reason.find("given up") != std::string::npos;
    })) << runner->status().tables.at(0).reason;
    EXPECT_NE(state(), StreamStatus::TableState::kLive);
    ASSERT_TRUE(WaitUntil([&] {
        std::lock_guard lock(server.mutex);
        return !server.slots[JoinName("s")];
    })) << "what is kept for the copy has to go";
    EXPECT_FALSE(runner->status().error);
    {
        std::lock_guard lock(server.mutex);
        EXPECT_TRUE(server.slots["s"]);
        server.holds_copies = false;
        server.retained.clear();
    }
    ASSERT_TRUE(runner->Ask(StreamRequest::kRecopy, {"t"}));
    EXPECT_TRUE(WaitUntil(is_live));
}

TEST(TableJoinerTest, WhoeverWaitsForItsEndCanBeStopped) {
    auto opened = OpenDuckDb({});
    ASSERT_TRUE(opened);
    ASSERT_TRUE(PrepareStateTables(**opened));
    Server server(1);
    server.faults = false;
    StreamOptions options;
    options.name = "s";
    options.dataset = "raw";
    TableJoiner joiner(
        **opened, JoinLine(options),
        [&]() -> Result<std::unique_ptr<StreamSource>> {
            return std::make_unique<Source>(server, JoinName("s"));
        },
        {"public.t"}, milliseconds(2), [](const std::string&, TablePhase, std::int64_t) {}, [] {});
    ASSERT_TRUE(WaitUntil([&] { return joiner.is_ready(); }));
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(milliseconds(50));
        stop.request_stop();
    });
    const auto begin = std::chrono::steady_clock::now();
    // The source never gets there.
    EXPECT_FALSE(
        joiner.FinishAt(Position{1'000'000, ""}, std::chrono::minutes(1), stop.get_token()));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
    // Asked for what it has, it ends.
    EXPECT_TRUE(joiner.FinishAt(Position{1, "1"}, std::chrono::minutes(1), {}));
}

}  // namespace
}  // namespace biwa
