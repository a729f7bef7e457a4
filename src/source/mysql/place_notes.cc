#include "source/mysql/place_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "source/mysql/character_set.h"

namespace biwa::mysql {

namespace {

// What separates names from one another is written as %20, and so are bytes that are no text.
constexpr std::string_view kSeparators = " %,;:.=!";

std::string Escape(std::string_view name) {
    // Of a character set that cannot be read.
    const bool is_bytes = !IsUtf8(name);
    std::string escaped;
    for (const char c : name) {
        const bool is_plain =
            kSeparators.find(c) == std::string_view::npos && !(is_bytes && (c & 0x80) != 0);
        escaped +=
            is_plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
    return escaped;
}

bool Unescape(std::string_view escaped, std::string& name) {
    for (std::size_t i = 0; i < escaped.size(); ++i) {
        if (escaped[i] != '%') {
            name += escaped[i];
            continue;
        }
        unsigned char byte = 0;
        const auto* const begin = escaped.data() + i + 1;
        if (i + 2 >= escaped.size() ||
            std::from_chars(begin, begin + 2, byte, 16).ptr != begin + 2) {
            return false;
        }
        name += static_cast<char>(byte);
        i += 2;
    }
    return true;
}

// "app.t"
std::string NameText(const TableName& table) {
    return Escape(table.first) + "." + Escape(table.second);
}

bool ParseName(std::string_view text, TableName& table) {
    const auto dot = text.find('.');
    return dot != std::string_view::npos && Unescape(text.substr(0, dot), table.first) &&
           Unescape(text.substr(dot + 1), table.second);
}

// "name" or "name!"
bool TakeMark(std::string_view& text) {
    const bool is_marked = text.ends_with('!');
    if (is_marked) text.remove_suffix(1);
    return is_marked;
}

// "app.t:note,mark!;app.u:note"
std::string AddedText(const decltype(PlaceNotes::added)& added) {
    std::string text;
    for (const auto& [table, columns] : added) {
        text += (text.empty() ? "" : ";") + NameText(table);
        char before = ':';
        for (const auto& [column, is_altered] : columns) {
            text += before + Escape(column) + (is_altered ? "!" : "");
            before = ',';
        }
    }
    return text;
}

bool ParseAdded(std::string_view text, decltype(PlaceNotes::added)& added) {
    for (const auto& one : Split(text, ';')) {
        const auto colon = std::min(one.find(':'), one.size());
        TableName table;
        if (colon == one.size() || !ParseName(std::string_view(one).substr(0, colon), table)) {
            return false;
        }
        auto& columns = added[std::move(table)];
        for (const auto& part : Split(std::string_view(one).substr(colon + 1), ',')) {
            std::string_view rest = part;
            const bool is_altered = TakeMark(rest);
            std::string column;
            if (!Unescape(rest, column)) return false;
            columns[std::move(column)] = is_altered;
        }
    }
    return true;
}

// "1764100000:app.t,app.u!"
std::string AskedText(const PlaceNotes& notes) {
    auto text = std::to_string(notes.asked_s);
    char before = ':';
    for (const auto& [table, only_for_fills] : notes.asked_for) {
        text += before + NameText(table) + (only_for_fills ? "!" : "");
        before = ',';
    }
    return text;
}

bool ParseAsked(std::string_view text, PlaceNotes& notes) {
    const auto colon = std::min(text.find(':'), text.size());
    const auto* const end = text.data() + colon;
    const auto [at, error] = std::from_chars(text.data(), end, notes.asked_s);
    if (colon == 0 || colon == text.size() || error != std::errc() || at != end) return false;
    for (const auto& one : Split(text.substr(colon + 1), ',')) {
        std::string_view rest = one;
        const bool only_for_fills = TakeMark(rest);
        TableName table;
        if (!ParseName(rest, table)) return false;
        notes.asked_for[std::move(table)] = only_for_fills;
    }
    return true;
}

}  // namespace

std::string NamesText(const TableNames& tables) {
    std::string text;
    for (const auto& table : tables) text += (text.empty() ? "" : ",") + NameText(table);
    return text;
}

bool ParseNames(std::string_view text, TableNames& tables) {
    for (const auto& one : Split(text, ',')) {
        TableName table;
        if (!ParseName(one, table)) return false;
        tables.insert(std::move(table));
    }
    return true;
}

std::optional<std::string_view> TakeValue(std::string_view& text, std::string_view name) {
    const auto at = text.find(name);
    if (at == std::string_view::npos) return std::nullopt;
    const auto value = text.substr(at + name.size());
    text = text.substr(0, at);
    return value;
}

std::string PlaceNotes::ToString() const {
    std::string text;
    if (!gone.empty()) text += " gone=" + NamesText(gone);
    if (!added.empty()) text += " new=" + AddedText(added);
    if (!asked_for.empty()) text += " asked=" + AskedText(*this);
    return text;
}

bool PlaceNotes::Take(std::string_view& text, PlaceNotes& notes) {
    if (const auto one = TakeValue(text, " asked="); one && !ParseAsked(*one, notes)) return false;
    if (const auto one = TakeValue(text, " new="); one && !ParseAdded(*one, notes.added)) {
        return false;
    }
    const auto one = TakeValue(text, " gone=");
    return !one || ParseNames(*one, notes.gone);
}

}  // namespace biwa::mysql
