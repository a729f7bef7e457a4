#include "warehouse/duckdb/checkpoint_copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "base/testing.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::duck {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytes = 12'288;
constexpr std::size_t kBlockBytes = 262'144;

class CheckpointCopyTest : public testing::Test {
  protected:
    // A warehouse with a table in its file, and its copy as before a checkpoint. Block 0 has the
    // catalogue.
    CheckpointCopyTest() {
        path_ = folder_.path() / "w.duckdb";
        copy_ = CheckpointCopyPath(path_);
        Fold("CREATE TABLE t AS SELECT 42 AS i");
        Keep();
    }

    void Keep() {
        const OpenFile file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        const auto kept = KeepCheckpointCopy(file.get(), path_, {0});
        ASSERT_TRUE(kept) << kept.error().ToString();
        EXPECT_EQ(*kept, fs::file_size(copy_));
    }
    Result<std::unique_ptr<Warehouse>> Open() {
        DuckDbOptions options;
        options.path = path_;
        return OpenDuckDb(options);
    }
    void Fold(const std::string& statement) {
        const auto warehouse = Open().value();
        {
            const auto transaction = warehouse->Begin().value();
            ASSERT_TRUE(transaction->Execute(statement));
            ASSERT_TRUE(transaction->Commit());
        }
        ASSERT_TRUE(warehouse->Checkpoint());
    }
    void Overwrite(const fs::path& path, std::size_t at, std::string_view bytes) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(at));
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    std::string Answer() {
        const auto warehouse = Open();
        if (!warehouse) return warehouse.error().ToString();
        const auto session = (*warehouse)->OpenSession().value();
        const auto rows = session->Query("SELECT i::BIGINT FROM t");
        if (!rows) return rows.error().ToString();
        return std::to_string((*rows)->Next().value()->columns[0].Get<std::int64_t>(0));
    }

    TempFolder folder_;
    fs::path path_, copy_;
};

TEST_F(CheckpointCopyTest, PutsATornBlockBack) {
    const auto whole = ReadFile(path_).value();
    for (const std::size_t torn :
         {1ul, 8ul, 100ul, 4096ul, kBlockBytes / 2, kBlockBytes - 1, kBlockBytes}) {
        Keep();
        Overwrite(path_, kHeaderBytes, std::string(torn, 'x'));
        ASSERT_TRUE(MendWarehouse(path_));
        EXPECT_EQ(ReadFile(path_).value(), whole) << torn;
        EXPECT_FALSE(fs::exists(copy_));
    }
    EXPECT_EQ(Answer(), "42");
}

TEST_F(CheckpointCopyTest, WithoutItTheFileDoesNotOpen) {
    fs::remove(copy_);
    Overwrite(path_, kHeaderBytes + 5000, "torn");
    EXPECT_NE(Answer(), "42");
}

TEST_F(CheckpointCopyTest, PutsATornSlotOfTheHeaderBack) {
    const auto whole = ReadFile(path_).value();
    // One slot was written by the fold, so the next goes to the other.
    std::uint64_t numbers[2] = {};
    for (int i = 0; i < 2; ++i) std::memcpy(&numbers[i], &whole[4096 * (i + 1) + 8], 8);
    Overwrite(path_, numbers[0] > numbers[1] ? 8192 : 4096, std::string(600, 'x'));
    ASSERT_TRUE(MendWarehouse(path_));
    EXPECT_EQ(ReadFile(path_).value(), whole);
}

TEST_F(CheckpointCopyTest, IsDroppedWhenTheCheckpointWasThrough) {
    const auto copy = ReadFile(copy_).value();
    for (int checkpoints = 1; checkpoints <= 3; ++checkpoints) {
        Fold("UPDATE t SET i = i + 1");
        ASSERT_TRUE(WriteFileAtomically(copy_, copy));
        EXPECT_EQ(Answer(), std::to_string(42 + checkpoints));
        EXPECT_FALSE(fs::exists(copy_));
    }
}

TEST_F(CheckpointCopyTest, ThatIsNotWholeIsDropped) {
    const auto copy = ReadFile(copy_).value();
    const auto whole = ReadFile(path_).value();
    auto changed = copy;
    changed[copy.size() / 2] ^= 1;
    for (const auto& bad : {std::string(), copy.substr(0, 20), copy.substr(0, copy.size() - 1),
                            copy + "x", changed, std::string(copy.size(), '\0')}) {
        ASSERT_TRUE(WriteFileAtomically(copy_, bad));
        ASSERT_TRUE(MendWarehouse(path_));
        EXPECT_FALSE(fs::exists(copy_));
        EXPECT_EQ(ReadFile(path_).value(), whole);
    }
}

TEST_F(CheckpointCopyTest, OfAnotherFileIsDropped) {
    // The file that was copied went, and one with another state is in its place.
    fs::remove(path_);
    const auto copy = ReadFile(copy_).value();
    EXPECT_NE(Answer(), "42");
    EXPECT_FALSE(fs::exists(copy_));
    fs::remove(path_);
    Fold("CREATE TABLE t AS SELECT 1 AS i");
    Fold("CREATE TABLE u AS SELECT 2 AS i");
    const auto whole = ReadFile(path_).value();
    ASSERT_TRUE(WriteFileAtomically(copy_, copy));
    ASSERT_TRUE(MendWarehouse(path_));
    EXPECT_EQ(ReadFile(path_).value(), whole);
    EXPECT_FALSE(fs::exists(copy_));
}

TEST_F(CheckpointCopyTest, IsNotMadeOfADamagedBlock) {
    fs::remove(copy_);
    Overwrite(path_, kHeaderBytes + 100, "damage");
    const OpenFile file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    const auto kept = KeepCheckpointCopy(file.get(), path_, {0});
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().kind, ErrorKind::kCorrupt) << kept.error().ToString();
    EXPECT_FALSE(fs::exists(copy_));
    EXPECT_FALSE(KeepCheckpointCopy(file.get(), path_, {99})) << "behind the end";
}

// The holder may be in the middle of its checkpoint.
TEST_F(CheckpointCopyTest, IsLeftAloneWhileAnotherProcessHasTheFile) {
    int ready[2], done[2];
    ASSERT_EQ(::pipe(ready), 0);
    ASSERT_EQ(::pipe(done), 0);
    const auto copy = ReadFile(copy_).value();
    const auto child = ::fork();
    if (child == 0) {
        ::close(done[1]);
        const auto warehouse = Open();
        char byte = warehouse ? 'y' : 'n';
        if (::write(ready[1], &byte, 1) != 1 || ::read(done[0], &byte, 1) < 0) ::_exit(2);
        ::_exit(0);
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ASSERT_EQ(byte, 'y');
    ASSERT_TRUE(WriteFileAtomically(copy_, copy));
    const auto warehouse = Open();
    ASSERT_FALSE(warehouse);
    EXPECT_EQ(warehouse.error().kind, ErrorKind::kConflict) << warehouse.error().ToString();
    EXPECT_TRUE(fs::exists(copy_));
    for (const int end : {ready[0], ready[1], done[0], done[1]}) ::close(end);
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

}  // namespace
}  // namespace biwa::duck
