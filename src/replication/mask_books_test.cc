#include "replication/mask_books.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>
#include <string>

namespace biwa {

namespace {

// "id: a* b~": names, with a star those that are NULL, with a wave those that are cut, with a colon
// those that are numbers.
struct Sketch {
    std::vector<BookedColumn> before;
    std::vector<Column> now;
    std::vector<std::string> masks;
};

Type TypeOf(const std::string& word) {
    return {word.find(':') == std::string::npos ? TypeId::kText : TypeId::kInt32};
}

std::string MaskOf(const std::string& word) {
    return word.ends_with('*') ? "null" : word.ends_with('~') ? "truncate 3" : "";
}

Sketch Draw(const std::vector<std::string>& before, const std::vector<std::string>& now) {
    Sketch sketch;
    const auto name_of = [](const std::string& word) {
        return word.substr(0, word.find_first_of(":*~"));
    };
    for (const auto& word : before) {
        sketch.before.push_back({name_of(word), 0,
                                 static_cast<std::int32_t>(sketch.before.size() + 1),
                                 ToSql(TypeOf(word)), MaskOf(word)});
    }
    for (const auto& word : now) {
        sketch.now.push_back({name_of(word), TypeOf(word), true, ""});
        sketch.masks.push_back(MaskOf(word));
    }
    return sketch;
}

std::string Exchanged(const std::vector<std::string>& before, const std::vector<std::string>& now) {
    const auto sketch = Draw(before, now);
    const auto doubt = FindExchanged(sketch.before, sketch.now, sketch.masks);
    return doubt ? doubt->masked + " " + doubt->now.front() : "";
}

std::string Succeeded(const std::vector<std::string>& before, const std::vector<std::string>& now) {
    const auto sketch = Draw(before, now);
    const auto doubt = FindSuccessors(sketch.before, sketch.now, sketch.masks);
    if (!doubt) return "";
    auto text = doubt->masked;
    for (const auto& name : doubt->now) text += " " + name;
    return text;
}

TEST(MaskBooksTest, columns_that_come_and_go_are_no_exchange) {
    const std::vector<std::string> before{"id:", "a", "secret*", "b"};
    EXPECT_EQ(Exchanged(before, before), "");
    EXPECT_EQ(Exchanged(before, {"new", "id:", "secret*", "other", "b", "last"}), "");
    EXPECT_EQ(Exchanged(before, {"id:", "a", "b"}), "");
    EXPECT_EQ(Exchanged(before, {"ID:", "A", "Secret*", "B"}), "");
    // Those that are clear, or masked, among themselves.
    EXPECT_EQ(Exchanged({"a", "b", "s*", "c"}, {"b", "a", "s*", "c"}), "");
    EXPECT_EQ(Exchanged({"a", "s*", "t*"}, {"a", "t*", "s*"}), "");
}

TEST(MaskBooksTest, names_that_were_exchanged_are_found) {
    EXPECT_EQ(Exchanged({"id:", "a", "secret*"}, {"id:", "secret*", "a"}), "secret a");
    EXPECT_EQ(Exchanged({"id:", "a", "secret*", "b"}, {"new", "id:", "secret*", "a", "b"}),
              "secret a");
    // Three in a circle.
    EXPECT_EQ(Exchanged({"d", "secret*", "c"}, {"secret*", "c", "d"}), "secret c");
    // What is masked now, and what was clear, may have whatever name.
    EXPECT_EQ(Exchanged({"id:", "a", "secret*"}, {"id:", "secret", "a*"}), "");
    EXPECT_EQ(Exchanged({"id:", "a", "secret*"}, {"id:", "a", "secret"}), "");
    // Unmasked in the same breath.
    EXPECT_EQ(Exchanged({"id:", "a", "secret*"}, {"id:", "secret", "a"}), "secret a");
}

TEST(MaskBooksTest, a_mask_that_shows_more_is_as_none) {
    EXPECT_EQ(Exchanged({"id:", "a~", "secret*"}, {"id:", "secret*", "a~"}), "secret a");
    EXPECT_EQ(Exchanged({"id:", "a~", "b~"}, {"id:", "b~", "a~"}), "");
    EXPECT_EQ(Exchanged({"id:", "a~", "secret*"}, {"id:", "a~", "secret~"}), "");
    EXPECT_EQ(Exchanged({"id:", "a~"}, {"a~", "id:"}), "a id");
    EXPECT_TRUE(ShowsMore("null", "truncate 3"));
    EXPECT_TRUE(ShowsMore("email", ""));
    EXPECT_FALSE(ShowsMore("email", "hash"));
    EXPECT_FALSE(ShowsMore("", ""));
}

TEST(MaskBooksTest, columns_that_have_numbers_need_no_guess) {
    auto sketch = Draw({"a", "secret*"}, {"secret*", "a"});
    for (auto& column : sketch.now) column.number = 1;
    EXPECT_FALSE(FindExchanged(sketch.before, sketch.now, sketch.masks));
    sketch = Draw({"a", "secret*"}, {"a"});
    for (auto& column : sketch.now) column.number = 1;
    EXPECT_FALSE(FindSuccessors(sketch.before, sketch.now, sketch.masks));
}

TEST(MaskBooksTest, one_that_has_gone_may_have_given_its_place_to_others) {
    EXPECT_EQ(Succeeded({"id:", "a", "secret*", "b", "n:"}, {"id:", "a", "b", "n:"}), "secret a b");
    EXPECT_EQ(Succeeded({"a", "b", "secret*"}, {"a", "b"}), "secret b");
    EXPECT_EQ(Succeeded({"secret*", "b"}, {"b"}), "secret b");
    // Beside each other once what was between has gone too.
    EXPECT_EQ(Succeeded({"a", "b", "secret*"}, {"a"}), "secret a");
    // The name that has gone may be the one that a clear column had.
    EXPECT_EQ(Succeeded({"a", "secret*", "b"}, {"a", "secret*"}), "secret a");
    EXPECT_EQ(Succeeded({"a", "secret*", "other*"}, {"a", "secret*"}), "secret a");
    // Types say that it cannot be.
    EXPECT_EQ(Succeeded({"id:", "secret*", "n:"}, {"id:", "n:"}), "");
    EXPECT_EQ(Succeeded({"a", "secret*", "n:"}, {"a", "secret*"}), "");
    EXPECT_EQ(Succeeded({"id:", "a", "secret*", "b"}, {"id:", "a*", "b*"}), "");
    // What is new may be it, where another column has its name by now.
    EXPECT_EQ(Succeeded({"id:", "a", "secret*"}, {"id:", "secret*", "b"}), "secret b");
    EXPECT_EQ(Succeeded({"id:", "secret*", "a"}, {"id:", "b", "secret*"}), "secret b");
    EXPECT_EQ(Succeeded({"secret*", "id:", "a"}, {"secret*", "id:", "b"}), "");
    EXPECT_EQ(Succeeded({"id:", "n:", "secret*"}, {"id:", "secret*", "b"}), "");
    // Or was made again, and stands elsewhere.
    EXPECT_EQ(Succeeded({"id:", "a", "secret*", "b"}, {"id:", "p", "b", "secret*"}), "secret b p");
    EXPECT_EQ(Succeeded({"id:", "secret*", "b"}, {"id:", "p", "b*", "secret*"}), "secret p");
    // None has gone: the order tells.
    EXPECT_EQ(Succeeded({"id:", "a", "secret*"}, {"id:", "secret*", "a"}), "");
    EXPECT_EQ(Succeeded({}, {"a"}), "");
}

// However columns are renamed, dropped and added without one being moved: what would come in clear
// and was masked is found by one of the two.
TEST(MaskBooksTest, no_masked_column_is_clear_whatever_it_is_called) {
    std::mt19937 random(7);
    const auto any = [&](std::size_t n) { return random() % n; };
    int found = 0;
    for (int round = 0; round < 20'000; ++round) {
        const std::size_t count = 2 + any(5);
        Sketch sketch;
        std::vector<std::size_t> columns(count);  // what is there, in its order, by what it was
        std::iota(columns.begin(), columns.end(), std::size_t{0});
        for (std::size_t i = 0; i < count; ++i) {
            sketch.before.push_back({std::string(1, static_cast<char>('a' + i)), 0,
                                     static_cast<std::int32_t>(i + 1), "VARCHAR",
                                     any(3) == 0   ? "null"
                                     : any(4) == 0 ? "email"
                                                   : ""});
        }
        for (auto drops = any(3); drops > 0 && columns.size() > 1; --drops) {
            columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(any(columns.size())));
        }
        // Any names of those that there were, once each.
        std::vector<std::size_t> names(count);
        std::iota(names.begin(), names.end(), std::size_t{0});
        if (any(2) == 0) {
            std::shuffle(names.begin(), names.end(), random);
        } else {
            std::swap(names[any(count)], names[any(count)]);
        }
        // And others that there were not, which are clear.
        std::set<std::size_t> others;
        for (auto other = any(3); other > 0; --other) others.insert(any(count));
        bool leaks = false;
        for (const auto was : columns) {
            const auto name = names[was];
            const bool is_other = others.contains(was);
            sketch.now.push_back(
                {is_other ? "other" + std::to_string(was) : sketch.before[name].name,
                 {TypeId::kText},
                 true,
                 ""});
            sketch.masks.push_back(is_other ? "" : sketch.before[name].mask);
            leaks = leaks || ShowsMore(sketch.before[was].mask, sketch.masks.back());
        }
        if (!leaks) continue;
        ++found;
        ASSERT_TRUE(FindExchanged(sketch.before, sketch.now, sketch.masks) ||
                    FindSuccessors(sketch.before, sketch.now, sketch.masks))
            << "round " << round;
    }
    EXPECT_GT(found, 1'000);
}

}  // namespace

}  // namespace biwa
