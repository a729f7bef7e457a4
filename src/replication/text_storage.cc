#include "replication/text_storage.h"

#include <algorithm>

namespace biwa {

TextStorage ChooseTexts(std::optional<TextStorage> wanted, const std::vector<SourceTable>& tables,
                        std::uint64_t bytes_free) {
    if (wanted) return *wanted;
    constexpr std::uint64_t kShareOfFree = 10;
    std::uint64_t needed = 0;
    for (const auto& table : tables) {
        if (table.refusal.empty()) {
            needed += static_cast<std::uint64_t>(std::max<std::int64_t>(table.bytes, 0));
        }
    }
    return needed < bytes_free / kShareOfFree ? TextStorage::kPlain : TextStorage::kCompressed;
}

}  // namespace biwa
