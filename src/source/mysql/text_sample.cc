#include "source/mysql/text_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "source/mysql/key_ranges.h"

namespace biwa::mysql {

namespace {

// Of fewer rows it does not matter how they are stored.
constexpr std::int64_t kRowsMin = 100'000;
constexpr std::int64_t kRowBytesMax = 64 << 10;
// So many look enough: a value of which there are a thousandth as many as rows is met several
// times. From so many places, as neighbours may be alike, or different, where others are not.
constexpr std::size_t kRows = 4096, kPlaces = 64;
// Of less nothing is believed: ranges may be empty, where keys lie far apart.
constexpr double kSampledMin = 1024;

}  // namespace

double EstimateDistinct(std::vector<std::uint32_t> values, double of) {
    if (values.empty()) return 0;
    const auto sampled = static_cast<double>(values.size());
    std::sort(values.begin(), values.end());
    double distinct = 0, once = 0;
    for (auto at = values.begin(); at != values.end();) {
        const auto next = std::upper_bound(at, values.end(), *at);
        ++distinct;
        if (next - at == 1) ++once;
        at = next;
    }
    return sampled * distinct / (sampled - once + once * sampled / of);
}

Result<std::set<std::string>> TextsThatSeldomRepeat(const Connection& connection,
                                                    const SourceTable& table,
                                                    const std::vector<SnapshotRange>& ranges) {
    std::vector<std::string> names;
    std::string columns;
    for (const auto& column : table.columns.columns) {
        if (column.type.id != TypeId::kText && column.type.id != TypeId::kJson) continue;
        names.push_back(column.name);
        columns += (columns.empty() ? "" : ", ") + fmt::format("CRC32({})", QuoteName(column.name));
    }
    std::set<std::string> seldom;
    if (names.empty() || ranges.size() < 2 || table.rows_estimate < kRowsMin ||
        table.bytes / table.rows_estimate > kRowBytesMax) {
        return seldom;
    }
    const auto& key = table.columns.columns[table.columns.key.front()].name;
    const auto places = std::min(ranges.size(), kPlaces);
    std::vector<std::vector<std::uint32_t>> values(names.size());
    double sampled = 0;
    for (std::size_t place = 0; place < places; ++place) {
        const auto& range = ranges[place * (ranges.size() - 1) / (places - 1)];
        const auto rows = BIWA_TRY(connection.Query(
            fmt::format("SELECT {} FROM {}.{} FORCE INDEX (PRIMARY) WHERE {} LIMIT {}", columns,
                        QuoteName(table.schema), QuoteName(table.name),
                        BIWA_TRY(RangeCondition(range.text, key)), kRows / places)));
        sampled += static_cast<double>(rows.size());
        for (std::size_t row = 0; row < rows.size(); ++row) {
            for (std::size_t i = 0; i < names.size(); ++i) {
                if (rows.IsNull(row, i)) continue;
                values[i].push_back(static_cast<std::uint32_t>(rows.Number(row, i)));
            }
        }
    }
    if (sampled < kSampledMin) return seldom;
    const auto rows = std::max(static_cast<double>(table.rows_estimate), sampled);
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto of = rows * static_cast<double>(values[i].size()) / sampled;
        if (EstimateDistinct(std::move(values[i]), of) >= rows / 2) seldom.insert(names[i]);
    }
    return seldom;
}

}  // namespace biwa::mysql
