#include "source/dump/rows_of_text.h"

#include <fmt/format.h>

#include <cstring>

namespace biwa::dump {

namespace {

int HexDigit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// What stands behind a backslash at `at`, which is moved behind it.
char Escaped(std::string_view text, std::size_t& at) {
    const char c = text[at++];
    switch (c) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        case 'v':
            return '\v';
        case 'x': {
            int value = 0, digits = 0;
            for (; digits < 2 && at < text.size() && HexDigit(text[at]) >= 0; ++digits) {
                value = value * 16 + HexDigit(text[at++]);
            }
            return digits > 0 ? static_cast<char>(value) : c;
        }
        default:
            break;
    }
    if (c < '0' || c > '7') return c;
    int value = c - '0';
    for (int more = 0; more < 2 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++more) {
        value = value * 8 + (text[at++] - '0');
    }
    return static_cast<char>(value);
}

}  // namespace

void ReadCopyRow(std::string_view line, TextRow& row) {
    row.fields.clear();
    // Nothing becomes longer by being read, so that the room is not moved.
    row.room.resize(line.size());
    char* to = row.room.data();
    for (std::size_t begin = 0;;) {
        const auto end = std::min(line.find('\t', begin), line.size());
        const auto field = line.substr(begin, end - begin);
        if (field == "\\N") {
            row.fields.emplace_back();
        } else if (field.find('\\') == std::string_view::npos) {
            row.fields.emplace_back(field);
        } else {
            char* const first = to;
            for (std::size_t at = 0; at < field.size();) {
                const char c = field[at++];
                *to++ = c == '\\' && at < field.size() ? Escaped(field, at) : c;
            }
            row.fields.emplace_back(std::string_view(first, static_cast<std::size_t>(to - first)));
        }
        if (end == line.size()) return;
        begin = end + 1;
    }
}

Result<bool> ReadCsvRow(LineFile& file, TextRow& row) {
    struct Field {
        std::size_t begin = 0, end = 0;
        bool is_null = false;
    };
    row.fields.clear();
    row.room.clear();
    const auto first_line = file.place().line;
    std::string_view line;
    if (!BIWA_TRY(file.Next(line))) return false;
    std::vector<Field> fields(1);
    bool in_quotes = false, had_quotes = false;
    const auto end_field = [&] {
        fields.back().end = row.room.size();
        fields.back().is_null = !had_quotes && fields.back().begin == row.room.size();
        had_quotes = false;
    };
    for (;;) {
        for (std::size_t at = 0; at < line.size(); ++at) {
            const char c = line[at];
            if (in_quotes) {
                if (c != '"') {
                    row.room += c;
                } else if (at + 1 < line.size() && line[at + 1] == '"') {
                    row.room += c;
                    ++at;
                } else {
                    in_quotes = false;
                }
            } else if (c == '"') {
                in_quotes = had_quotes = true;
            } else if (c == ',') {
                end_field();
                fields.push_back({row.room.size()});
            } else if (c != '\r' || at + 1 != line.size()) {
                row.room += c;
            }
        }
        if (!in_quotes) break;
        row.room += '\n';
        if (!BIWA_TRY(file.Next(line))) {
            return UserError(fmt::format("{}:{}: a quote that opens in this row is not closed",
                                         file.path(), first_line));
        }
    }
    end_field();
    for (const auto& field : fields) {
        if (field.is_null) {
            row.fields.emplace_back();
        } else {
            row.fields.emplace_back(
                std::string_view(row.room).substr(field.begin, field.end - field.begin));
        }
    }
    return true;
}

}  // namespace biwa::dump
