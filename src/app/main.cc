// The program: names the concrete sources and the warehouse, and hands over to the command line.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "base/process_memory.h"
#include "cli/cli.h"
#include "source/dump/dump_source.h"
#include "source/mysql/mysql_source.h"
#include "source/postgres/postgres_source.h"
#include "warehouse/duckdb/duckdb_warehouse.h"
#include "web/embed/assets.h"

namespace {

using namespace biwa;

// A quarter of the machine's memory, 4 GiB at most: there is more on the machine than Biwa.
std::uint64_t DefaultMemory() {
    const auto all = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
    return std::min(all / 4, std::uint64_t{4} << 30);
}

Result<std::unique_ptr<Warehouse>> OpenWarehouse(const WarehouseConfig& config) {
    DuckDbOptions options;
    options.path = config.path;
    options.memory_limit_bytes =
        config.memory_limit_bytes > 0 ? config.memory_limit_bytes : DefaultMemory();
    options.threads = config.threads > 0
                          ? config.threads
                          : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    options.time_zone = config.time_zone;
    return OpenDuckDb(options);
}

// A core file would have the passwords of connections, the keys of masks and the values that masks
// keep from the disk. BIWA_CORE_DUMPS=1 is for whoever looks for a bug. A limit of 1 byte keeps the
// kernel from handing the memory to a program as well (core(5): a limit of 0 does not). Not
// PR_SET_DUMPABLE: `ssh`, which is started from here, reads its key by way of /proc.
void KeepMemoryOffDisk() {
    const char* const wanted = std::getenv("BIWA_CORE_DUMPS");
    if (wanted != nullptr && *wanted == '1') return;
    const rlimit none{1, 1};
    ::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace

int main(int argc, char** argv) {
    KeepMemoryOffDisk();
    KeepLargeBlocksApart();
    Engine engine;
    RegisterPostgresSource(engine.sources);
    RegisterMySqlSource(engine.sources);
    RegisterDumpSource(engine.sources);
    engine.open_warehouse = OpenWarehouse;
    for (const auto& asset : WebAssets()) {
        engine.web_files.push_back(
            {asset.path, asset.content_type, asset.content, asset.gzip, asset.immutable});
    }
    return cli::Main(argc, argv, engine);
}
