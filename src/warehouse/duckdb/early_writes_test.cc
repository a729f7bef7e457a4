#include "warehouse/duckdb/early_writes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "base/testing.h"
#include "warehouse/duckdb/checkpoint_copy.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::duck {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

// Of the file's pages in memory.
struct Pages {
    std::uint64_t cached = 0, dirty = 0, writing = 0, evicted = 0, recently_evicted = 0;
};

// From an offset on. Nothing where the system cannot tell (Linux before 6.5).
std::optional<Pages> PagesOf(int file, std::uint64_t from = 0) {
    constexpr long kCachestat = 451;
    struct {
        std::uint64_t offset, length = 0;  // up to its end
    } range{from};
    Pages found;
    if (::syscall(kCachestat, file, &range, &found, 0) != 0) return std::nullopt;
    return found;
}

// Those that the disk does not have and is not being sent.
std::optional<std::uint64_t> PagesNotWritten(int file) {
    const auto pages = PagesOf(file);
    return pages ? std::optional(pages->dirty) : std::nullopt;
}

// Nothing of the file is left to be written. Waits for it for less than the 5 seconds or more after
// which the system begins by itself.
bool ComesToBeWritten(int file) {
    const auto end = Steady::now() + 3s;
    while (*PagesNotWritten(file) > 0 && Steady::now() < end) std::this_thread::sleep_for(5ms);
    return *PagesNotWritten(file) == 0;
}

// Numbers that do not compress, a megabyte for each of the engine's groups of 122,880, and then a
// look at the file while the statement still runs.
class LongRows final : public RowSource {
  public:
    explicit LongRows(int file) : file_(file) {}
    const std::vector<Column>& columns() const override { return columns_; }
    std::size_t rows_estimate() const override { return kRows; }
    Result<std::unique_ptr<RowReader>> Open() override { return std::make_unique<Reader>(*this); }

    std::uint64_t bytes_at_end = 0;
    bool was_written = false;

  private:
    static constexpr std::size_t kRows = 500 * kBlockRows;
    class Reader final : public RowReader {
      public:
        explicit Reader(LongRows& rows) : rows_(rows) {}
        Result<std::size_t> Fill(RowBlock& block) override {
            if (read_ == kRows) {
                rows_.bytes_at_end = static_cast<std::uint64_t>(::lseek(rows_.file_, 0, SEEK_END));
                rows_.was_written = ComesToBeWritten(rows_.file_);
                return std::size_t{0};
            }
            for (std::size_t row = 0; row < kBlockRows; ++row) {
                block.columns[0].Set(row, static_cast<std::int64_t>(random_()));
            }
            read_ += kBlockRows;
            return kBlockRows;
        }

      private:
        LongRows& rows_;
        std::size_t read_ = 0;
        std::mt19937_64 random_;
    };

    const int file_;
    const std::vector<Column> columns_ = {{"i", {TypeId::kInt64}, true, ""}};
};

class EarlyWritesTest : public testing::Test {
  protected:
    EarlyWritesTest()
        : file_(::open((folder_.path() / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}
    void Write() {
        const std::string bytes(std::size_t{4} << 20, 'x');
        ASSERT_EQ(::write(file_.get(), bytes.data(), bytes.size()),
                  static_cast<ssize_t>(bytes.size()));
    }

    TempFolder folder_;
    OpenFile file_;
};

TEST_F(EarlyWritesTest, WhatIsWrittenIsOnItsWayToTheDiskLongBeforeTheSystemWouldBegin) {
    Write();
    ASSERT_EQ(::fdatasync(file_.get()), 0);
    if (PagesNotWritten(file_.get()) != 0u) GTEST_SKIP() << "no disk, or a system that cannot tell";
    // Through a descriptor that can only read, as the warehouse's is.
    const OpenFile reader(::open((folder_.path() / "file").c_str(), O_RDONLY | O_CLOEXEC));
    const EarlyWrites early(reader.get(), EarlyWrites::Pages::kStay);
    for (int n = 0; n < 2; ++n) {
        Write();
        EXPECT_TRUE(ComesToBeWritten(file_.get()));
    }
}

TEST_F(EarlyWritesTest, PagesThatComeFromNowOnGoWhenTheyAreWritten) {
    Write();
    ASSERT_EQ(::fdatasync(file_.get()), 0);
    if (PagesNotWritten(file_.get()) != 0u) GTEST_SKIP() << "no disk, or a system that cannot tell";
    const auto before = PagesOf(file_.get())->cached;
    const OpenFile reader(::open((folder_.path() / "file").c_str(), O_RDONLY | O_CLOEXEC));
    const EarlyWrites early(reader.get(), EarlyWrites::Pages::kGo);
    for (int n = 0; n < 2; ++n) {
        Write();
        const auto end = Steady::now() + 3s;
        while (PagesOf(file_.get(), 4 << 20)->cached > 0 && Steady::now() < end) {
            std::this_thread::sleep_for(5ms);
        }
        EXPECT_EQ(PagesOf(file_.get(), 4 << 20)->cached, 0u);
    }
    EXPECT_EQ(PagesOf(file_.get())->cached, before);
}

TEST_F(EarlyWritesTest, PagesStayThatAreToStay) {
    Write();
    ASSERT_EQ(::fdatasync(file_.get()), 0);
    if (PagesNotWritten(file_.get()) != 0u) GTEST_SKIP() << "no disk, or a system that cannot tell";
    const auto before = PagesOf(file_.get())->cached;
    const EarlyWrites early(file_.get(), EarlyWrites::Pages::kStay);
    Write();
    EXPECT_TRUE(ComesToBeWritten(file_.get()));
    std::this_thread::sleep_for(200ms);
    EXPECT_GT(PagesOf(file_.get())->cached, before);
}

TEST_F(EarlyWritesTest, ManyRowsAreOnTheirWayToTheDiskBeforeTheStatementEnds) {
    Write();
    ASSERT_EQ(::fdatasync(file_.get()), 0);
    if (PagesNotWritten(file_.get()) != 0u) GTEST_SKIP() << "no disk, or a system that cannot tell";
    DuckDbOptions options;
    options.path = folder_.path() / "w.duckdb";
    const auto warehouse = OpenDuckDb(options).value();
    const OpenFile file(::open(options.path.c_str(), O_RDONLY | O_CLOEXEC));
    LongRows rows(file.get());
    const auto transaction = warehouse->Begin().value();
    ASSERT_TRUE(transaction->Execute("CREATE TABLE t (i BIGINT)"));
    ASSERT_TRUE(transaction->ExecuteWith("INSERT INTO t FROM $rows", {{"rows", rows}}));
    ASSERT_TRUE(transaction->Commit());
    EXPECT_GT(rows.bytes_at_end, 2u << 20);
    EXPECT_TRUE(rows.was_written);
}

TEST_F(EarlyWritesTest, EndsWithoutWaitingForItsTurn) {
    const auto began = Steady::now();
    for (int n = 0; n < 100; ++n) const EarlyWrites early(file_.get(), EarlyWrites::Pages::kGo);
    EXPECT_LT(Steady::now() - began, 3s);
}

TEST_F(EarlyWritesTest, WhereNothingCanBeWrittenNothingHappens) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const OpenFile in(ends[0]), out(ends[1]);
    const EarlyWrites none(-1, EarlyWrites::Pages::kGo), pipe(in.get(), EarlyWrites::Pages::kGo);
    std::this_thread::sleep_for(120ms);
    const std::string text = "still open";
    EXPECT_EQ(::write(out.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

}  // namespace
}  // namespace biwa::duck
