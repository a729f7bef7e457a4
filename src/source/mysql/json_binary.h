// MySQL's binary form of JSON documents, as it stands in the binary log (sql-common/json_binary.h
// of the server). MariaDB has none: its JSON is text.
//
//   document  uint8 type, value
//   object    count, bytes of all (uint16, or uint32 in a large one); for each key its place and
//             uint16 length; for each value uint8 type and its place, or the value itself where it
//             is no longer than a place; then keys and values. Places count from the object's
//             begin.
//   array     the same without keys
//   string    length in groups of seven bits, the lowest first; UTF-8
//   opaque    uint8 type of a column, length, bytes
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace biwa::mysql {

// The document as text, as MySQL writes it; nothing when the bytes are no document.
std::optional<std::string> JsonText(std::string_view document);

}  // namespace biwa::mysql
