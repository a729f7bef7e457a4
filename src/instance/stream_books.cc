#include "instance/stream_books.h"

#include <filesystem>

#include "base/clock.h"
#include "base/file.h"
#include "plan/plan.h"
#include "state/meta_store.h"

namespace biwa {

Result<std::map<std::string, StreamState>> ReadStreamBooks(const Engine& engine,
                                                           const Project& project) {
    std::map<std::string, StreamState> books;
    std::error_code ignored;
    const auto meta_path = project.state_dir() / "meta.db";
    if (!std::filesystem::exists(project.warehouse.path, ignored) ||
        !std::filesystem::exists(meta_path, ignored)) {
        return books;
    }
    const auto lock = BIWA_TRY(FileLock::Acquire(project.state_dir() / "lock"));
    const SystemClock clock;
    const auto applied = BIWA_TRY(BIWA_TRY(MetaStore::Open(meta_path, clock))->ReadApplied());
    const auto warehouse = BIWA_TRY(engine.open_warehouse(project.warehouse));
    BIWA_TRY(PrepareStateTables(*warehouse));
    for (const auto& [name, stream] : project.streams) {
        const auto fields = AppliedFields(applied, "stream", name);
        const auto is_as_applied = [&](const char* field, const std::string& wanted) {
            const auto found = fields.find(field);
            return found != fields.end() && found->second == wanted;
        };
        if (!is_as_applied("connection", stream.connection) ||
            !is_as_applied("dataset", stream.dataset)) {
            continue;
        }
        books[name] = BIWA_TRY(ReadStreamState(*warehouse, name));
    }
    return books;
}

}  // namespace biwa
