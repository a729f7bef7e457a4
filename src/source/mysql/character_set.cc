#include "source/mysql/character_set.h"

#include <algorithm>
#include <cstring>

namespace biwa::mysql {

namespace {

void AppendUtf8(std::uint32_t code, std::string& utf8) {
    const auto add = [&](std::uint32_t byte) { utf8 += static_cast<char>(byte); };
    if (code < 0x80) {
        add(code);
    } else if (code < 0x800) {
        add(0xc0 | code >> 6);
        add(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        add(0xe0 | code >> 12);
        add(0x80 | (code >> 6 & 0x3f));
        add(0x80 | (code & 0x3f));
    } else {
        add(0xf0 | code >> 18);
        add(0x80 | (code >> 12 & 0x3f));
        add(0x80 | (code >> 6 & 0x3f));
        add(0x80 | (code & 0x3f));
    }
}

unsigned char Byte(std::string_view text, std::size_t i) {
    return static_cast<unsigned char>(text[i]);
}

std::uint32_t Unit(std::string_view text, std::size_t at, bool little_endian) {
    return little_endian ? Byte(text, at + 1) << 8U | Byte(text, at)
                         : Byte(text, at) << 8U | Byte(text, at + 1);
}

void FromUtf16(std::string_view text, bool little_endian, std::string& utf8) {
    for (std::size_t at = 0; at + 2 <= text.size(); at += 2) {
        const auto unit = Unit(text, at, little_endian);
        if (unit < 0xd800 || unit > 0xdfff) {
            AppendUtf8(unit, utf8);
            continue;
        }
        const auto low =
            unit < 0xdc00 && at + 4 <= text.size() ? Unit(text, at + 2, little_endian) : 0;
        if (low < 0xdc00 || low > 0xdfff) {
            utf8 += '?';
            continue;
        }
        AppendUtf8(0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff), utf8);
        at += 2;
    }
}

void FromUtf32(std::string_view text, std::string& utf8) {
    for (std::size_t at = 0; at + 4 <= text.size(); at += 4) {
        const auto code = Unit(text, at, false) << 16 | Unit(text, at + 2, false);
        const bool is_character = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        is_character ? AppendUtf8(code, utf8) : void(utf8 += '?');
    }
}

void FromTable(const CharacterSet& set, std::string_view text, std::string& utf8) {
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t code = Byte(text, at);
        std::size_t taken = 1;
        const std::string* character = &set.single[code];
        if (!set.longer.empty()) {
            for (std::size_t size = 2; size <= 3 && at + size <= text.size(); ++size) {
                code = code << 8 | Byte(text, at + size - 1);
                const auto found = set.longer.find(code);
                if (found == set.longer.end()) continue;
                character = &found->second;
                taken = size;
                break;
            }
        }
        utf8 += *character;
        at += taken;
    }
}

}  // namespace

bool HasTwins(std::string_view name) {
    return name == "cp932" || name == "eucjpms" || name == "ujis" || name == "armscii8";
}

bool IsAscii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

bool IsUtf8(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        // Most text is ASCII: eight bytes at once.
        while (at + 8 <= text.size()) {
            std::uint64_t eight;
            std::memcpy(&eight, text.data() + at, 8);
            if ((eight & 0x8080808080808080U) != 0) break;
            at += 8;
        }
        if (at == text.size()) break;
        const auto first = Byte(text, at);
        if (first < 0x80) {
            ++at;
            continue;
        }
        const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
        if (first < 0xc2 || first > 0xf4 || at + size > text.size()) return false;
        std::uint32_t code = first & (0xffU >> (size + 1));
        for (std::size_t i = 1; i < size; ++i) {
            const auto next = Byte(text, at + i);
            if ((next & 0xc0) != 0x80) return false;
            code = code << 6 | (next & 0x3f);
        }
        const bool too_long = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
        if (too_long || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
        at += size;
    }
    return true;
}

bool ToUtf8(const CharacterSet& set, std::string_view text, std::string& utf8) {
    utf8.clear();
    switch (set.form) {
        case CharacterSet::Form::kUtf8:
            utf8 = text;
            return IsUtf8(text);
        case CharacterSet::Form::kTable:
            FromTable(set, text, utf8);
            return true;
        case CharacterSet::Form::kUtf16:
        case CharacterSet::Form::kUtf16Le:
            FromUtf16(text, set.form == CharacterSet::Form::kUtf16Le, utf8);
            return true;
        case CharacterSet::Form::kUtf32:
            FromUtf32(text, utf8);
            return true;
    }
    return false;
}

std::string_view TakeCharacter(std::string_view& utf8) {
    std::size_t size = 1;
    while (size < utf8.size() && (Byte(utf8, size) & 0xc0) == 0x80) ++size;
    const auto character = utf8.substr(0, size);
    utf8.remove_prefix(character.size());
    return character;
}

}  // namespace biwa::mysql
