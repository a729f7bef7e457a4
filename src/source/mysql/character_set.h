// Character sets of the server, and their text as UTF-8.
//
// The binary log has text in the column's own character set, a SELECT has it as UTF-8. For both to
// be alike the characters are mapped by the server's own tables, which are asked of it (catalog.h):
// other implementations differ in some, such as the wave dash of cp932.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace biwa::mysql {

struct CharacterSet {
    enum class Form { kUtf8, kTable, kUtf16, kUtf16Le, kUtf32 };

    std::string name;
    Form form = Form::kUtf8;
    // kTable: characters of one byte, and those of two and three, by their big-endian number.
    std::array<std::string, 256> single = {};
    boost::unordered_flat_map<std::uint32_t, std::string> longer = {};
};

// Whether the server's character set of this name has several characters that are the same one of
// Unicode, as those are that cp932 has from both NEC and IBM. By what MariaDB 10.11 makes of each
// character of each of its sets; bytes that are no character, and become "?", do not count.
bool HasTwins(std::string_view name);

bool IsAscii(std::string_view text);

// Whether all of it is well-formed.
bool IsUtf8(std::string_view text);

// Replaces `utf8` by the text. What is no character becomes "?", as the server does; but false for
// text of an UTF-8 column that is not well-formed, which no SELECT would mend either.
bool ToUtf8(const CharacterSet& set, std::string_view text, std::string& utf8);

// Cuts UTF-8 that is well-formed into its characters: the first, which is taken off.
std::string_view TakeCharacter(std::string_view& utf8);

}  // namespace biwa::mysql
