// A file as a source: what stands between the beginning and the end of a dump, a CSV, or all of a
// file, by the first byte. It ends in tables whose rows are read, each to its end or to an error
// that names a line; what was counted is what is read.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/check.h"
#include "model/testing.h"
#include "source/dump/contents.h"
#include "source/dump/dump_rows.h"

namespace {

using namespace biwa;
using namespace biwa::dump;

constexpr const char* kColumns =
    "a bigint, b numeric(5,2)[], c interval, d timestamptz, PRIMARY KEY (a)";

void ReadTable(const std::string& path, const std::shared_ptr<const Contents>& contents,
               const DumpedTable& dumped) {
    if (!dumped.table.refusal.empty()) return;
    BIWA_CHECK(dumped.decoders.size() == dumped.table.columns.columns.size());
    BIWA_CHECK(!dumped.table.columns.key.empty());
    for (const auto key : dumped.table.columns.key) {
        BIWA_CHECK(key < dumped.table.columns.columns.size());
    }
    std::atomic<std::uint64_t> unrepresentable = 0;
    for (std::size_t section = 0; section < dumped.sections.size(); ++section) {
        auto reader =
            ReadSection(path, contents, dumped, section, dumped.table.columns, unrepresentable);
        if (!reader) continue;
        OwnedBlock block(dumped.table.columns.columns);
        std::int64_t read = 0;
        for (;;) {
            const auto rows = (*reader)->Fill(block.block());
            if (!rows) {
                BIWA_CHECK(rows.error().message.find(path + ":") == 0);
                break;
            }
            read += static_cast<std::int64_t>(*rows);
            BIWA_CHECK(read <= dumped.sections[section].rows);
            if (*rows > 0) continue;
            BIWA_CHECK(read == dumped.sections[section].rows);
            break;
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool is_csv = data[0] % 3 == 1, is_whole = data[0] % 3 == 2;
    std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
    if (data[0] % 3 == 0) {
        text = "-- PostgreSQL database dump\n" + text + "\n-- PostgreSQL database dump complete\n";
    }
    static const auto folder = "/tmp/biwa_fuzz_dump_" + std::to_string(getpid());
    const auto path = folder + (is_csv ? ".csv" : ".sql");
    std::FILE* const file = std::fopen(path.c_str(), "wb");
    BIWA_CHECK(file != nullptr);
    BIWA_CHECK(std::fwrite(text.data(), 1, text.size(), file) == text.size());
    std::fclose(file);
    const auto contents = ReadContents(path, is_csv && size % 2 == 0 ? kColumns : "");
    if (contents) {
        for (const auto& table : (*contents)->tables) ReadTable(path, *contents, table);
    } else {
        BIWA_CHECK(is_whole || !contents.error().message.empty());
    }
    std::remove(path.c_str());
    return 0;
}
