#include "source/postgres/column_places.h"

namespace biwa::postgres {

std::vector<ColumnPlace> PlaceColumns(
    const std::vector<std::string>& names, const TableSchema& known,
    const std::function<bool(std::size_t, std::size_t)>& same_type) {
    const auto& today = known.columns;
    std::vector<ColumnPlace> places(names.size());
    std::size_t open = 0;  // from here on none of then has a place
    std::size_t next = 0;  // from here on none of today's is one of then
    const auto number_before = [&] { return next == 0 ? 0 : today[next - 1].number; };
    for (std::size_t i = 0; i < names.size(); ++i) {
        std::optional<std::size_t> found;
        if (open == i && next < today.size() && today[next].number == number_before() + 1) {
            found = next;
        } else if (const auto named = known.Find(names[i]);
                   named && *named >= next && same_type(i, *named)) {
            const auto lacking = i - open, passed = *named - next;
            const auto numbers_between =
                static_cast<std::int64_t>(today[*named].number) - number_before() - 1;
            const bool has_room =
                lacking >= passed && numbers_between >= static_cast<std::int64_t>(lacking);
            if (has_room) found = named;
        }
        if (!found) continue;
        const auto passed = *found - next;
        for (std::size_t j = open; j < i; ++j) {
            if (passed == i - open) places[j].column = next + (j - open);
            places[j].is_gone = passed == 0;
        }
        places[i].column = found;
        open = i + 1;
        next = *found + 1;
    }
    for (; open < names.size() && next == today.size(); ++open) places[open].is_gone = true;
    return places;
}

}  // namespace biwa::postgres
