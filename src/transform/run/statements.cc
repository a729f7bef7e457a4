#include "transform/run/statements.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"

namespace biwa::transform {

namespace {

bool IsNameByte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0;
}

// Behind the text that `end` closes, or the end of all.
std::size_t Behind(std::string_view sql, std::string_view end, std::size_t from) {
    const auto at = sql.find(end, from);
    return at == std::string_view::npos ? sql.size() : at + end.size();
}

// Behind the comment, string or quoted name that begins at `at`; `at` itself where none does.
std::size_t SkipQuoted(std::string_view sql, std::size_t at) {
    const auto rest = sql.substr(at);
    if (rest.starts_with("--")) return Behind(sql, "\n", at);
    if (rest.starts_with("/*")) return Behind(sql, "*/", at + 2);
    if (rest.starts_with('"')) return Behind(sql, "\"", at + 1);
    if (rest.starts_with('\'')) {
        const bool has_escapes =
            at > 0 && (sql[at - 1] | 0x20) == 'e' && (at == 1 || !IsNameByte(sql[at - 2]));
        for (++at; at < sql.size() && sql[at] != '\''; ++at) {
            if (has_escapes && sql[at] == '\\') ++at;
        }
        return std::min(at + 1, sql.size());
    }
    if (rest.starts_with('$')) {
        // $$ … $$, $tag$ … $tag$
        auto end = at + 1;
        while (end < sql.size() && IsNameByte(sql[end])) ++end;
        if (end < sql.size() && sql[end] == '$') {
            const auto tag = sql.substr(at, end + 1 - at);
            return Behind(sql, tag, end + 1);
        }
    }
    return at;
}

}  // namespace

std::string TransactionWord(std::string_view sql) {
    constexpr std::array<std::string_view, 6> kWords = {"begin", "start",    "commit",
                                                        "end",   "rollback", "abort"};
    bool is_at_begin = true;
    for (std::size_t at = 0; at < sql.size();) {
        if (const auto behind = SkipQuoted(sql, at); behind > at) {
            const bool is_comment = sql[at] == '-' || sql[at] == '/';
            is_at_begin = is_at_begin && is_comment;
            at = behind;
        } else if (sql[at] == ';') {
            is_at_begin = true;
            ++at;
        } else if (std::isspace(static_cast<unsigned char>(sql[at])) != 0) {
            ++at;
        } else if (!is_at_begin || !IsNameByte(sql[at])) {
            is_at_begin = false;
            ++at;
        } else {
            auto end = at;
            while (end < sql.size() && IsNameByte(sql[end])) ++end;
            const auto word = sql.substr(at, end - at);
            const auto small = SmallLetters(std::string(word));
            if (std::find(kWords.begin(), kWords.end(), small) != kWords.end())
                return std::string(word);
            is_at_begin = false;
            at = end;
        }
    }
    return "";
}

Status CheckIsNoTransaction(std::string_view sql) {
    const auto word = TransactionWord(sql);
    if (word.empty()) return {};
    return UserError(fmt::format("{} would begin or end a transaction; all that a model does is "
                                 "one, and nothing of it may come before the whole",
                                 word),
                     "Take it out.");
}

bool HasStatements(const Action& action) {
    if (action.type == ActionType::kOperations) return true;
    return !action.full.pre_operations.empty() || !action.full.post_operations.empty() ||
           !action.incremental.pre_operations.empty() ||
           !action.incremental.post_operations.empty();
}

}  // namespace biwa::transform
