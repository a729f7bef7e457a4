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

namespace {

// A column of then and the one of today's that has its name.
struct Match {
    std::size_t then;
    std::size_t place;
    std::int64_t number;
};

// Nothing where the names stand in another order, or there was no room for all of them: then some
// were exchanged.
std::optional<std::vector<Match>> MatchNames(const std::vector<std::string>& names,
                                             const TableSchema& known) {
    std::vector<Match> matches;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto place = known.Find(names[i]);
        if (!place) continue;
        const auto number = known.columns[*place].number;
        const auto* const before = matches.empty() ? nullptr : &matches.back();
        const auto then = i - (before == nullptr ? 0 : before->then + 1);
        const auto next = before == nullptr ? 0 : before->place + 1;
        const auto room = number - (before == nullptr ? 0 : before->number) - 1;
        if (*place < next || then < *place - next || room < static_cast<std::int64_t>(then)) {
            return std::nullopt;
        }
        matches.push_back({i, *place, number});
    }
    return matches;
}

}  // namespace

std::vector<std::vector<std::size_t>> MayBePlaces(
    const std::vector<std::string>& names, const TableSchema& known,
    const std::function<bool(std::size_t, std::size_t)>& same_type) {
    const auto& today = known.columns;
    std::vector<std::vector<std::size_t>> places(names.size());
    const auto add_between = [&](std::size_t i, std::size_t begin, std::size_t end) {
        for (auto place = begin; place < end; ++place) {
            if (!MayBe(i, place, today[place].number) || !same_type(i, place)) continue;
            places[i].push_back(place);
        }
    };
    const auto matches = MatchNames(names, known);
    if (!matches) {
        for (std::size_t i = 0; i < names.size(); ++i) add_between(i, 0, today.size());
        return places;
    }
    std::size_t next = 0;  // of the matches, the first that is not before i
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (next < matches->size() && (*matches)[next].then == i) {
            places[i].push_back((*matches)[next++].place);
            continue;
        }
        const auto match = [&](std::size_t at) { return &(*matches)[at]; };
        const auto* const left = next > 0 ? match(next - 1) : nullptr;
        const auto* const right = next < matches->size() ? match(next) : nullptr;
        // Whether the neighbour may have stood where it is no more: so many more columns of then
        // were between its neighbours' than there would be otherwise.
        if (left != nullptr) {
            const auto* const other = next > 1 ? match(next - 2) : nullptr;
            const auto room = left->number - (other == nullptr ? 0 : other->number) - 1;
            const auto others = i - (other == nullptr ? 0 : other->then + 1) - 1;
            if (room > static_cast<std::int64_t>(others)) {
                add_between(i, left->place, left->place + 1);
            }
        }
        add_between(i, left == nullptr ? 0 : left->place + 1,
                    right == nullptr ? today.size() : right->place);
        if (right != nullptr) {
            const auto* const other = next + 1 < matches->size() ? match(next + 1) : nullptr;
            const bool has_room =
                other == nullptr ||
                other->number - right->number - 1 > static_cast<std::int64_t>(other->then - i - 2);
            if (has_room) add_between(i, right->place, right->place + 1);
        }
    }
    return places;
}

}  // namespace biwa::postgres
