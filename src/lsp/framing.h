// The base protocol of the Language Server Protocol 3.17: messages between headers.
//
//     Content-Length: 52\r\n
//     Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n     (may be left out)
//     \r\n
//     {"jsonrpc":"2.0",…}                                             52 bytes of UTF-8
#pragma once

#include <cstddef>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "base/result.h"

namespace biwa::lsp {

inline constexpr std::size_t kMessageBytesMax = 64 << 20;
inline constexpr std::size_t kHeaderBytesMax = 8 << 10;

// Waits for the next message. Nothing at the end of the stream; an error when what comes is no
// message: there is no telling then where the next one would begin.
Result<std::optional<std::string>> ReadMessage(std::istream& in);

void WriteMessage(std::ostream& out, std::string_view message);

}  // namespace biwa::lsp
