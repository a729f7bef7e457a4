#include "lsp/framing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace biwa::lsp {

namespace {

// A line without its end; nothing at the end of the stream.
Result<std::optional<std::string>> ReadHeader(std::istream& in) {
    std::string line;
    for (int c = in.get(); c != std::istream::traits_type::eof(); c = in.get()) {
        if (c == '\n') {
            if (!line.empty() && line.back() == '\r') line.pop_back();
            return line;
        }
        line += static_cast<char>(c);
        if (line.size() > kHeaderBytesMax) {
            return UserError(
                fmt::format("a header of more than {} bytes: this is no message of "
                            "the Language Server Protocol",
                            kHeaderBytesMax));
        }
    }
    if (line.empty()) return std::nullopt;
    return UserError("the input ended inside of a header");
}

Result<std::size_t> ReadLength(std::string_view value) {
    value = Trim(value);
    std::size_t length = 0;
    const auto* end = value.data() + value.size();
    const auto read = std::from_chars(value.data(), end, length);
    if (value.empty() || read.ec != std::errc() || read.ptr != end) {
        return UserError(fmt::format("Content-Length is \"{}\"; expected a number", value));
    }
    if (length > kMessageBytesMax) {
        return UserError(
            fmt::format("a message of {} bytes; {} are taken at most", length, kMessageBytesMax));
    }
    return length;
}

}  // namespace

Result<std::optional<std::string>> ReadMessage(std::istream& in) {
    constexpr int kHeadersMax = 32;
    std::optional<std::size_t> length;
    for (int headers = 0;; ++headers) {
        const auto header = BIWA_TRY(ReadHeader(in));
        if (!header) {
            if (headers == 0) return std::nullopt;
            return UserError("the input ended between headers");
        }
        if (header->empty()) break;
        const auto colon = header->find(':');
        if (colon == std::string::npos || headers == kHeadersMax) {
            return UserError(
                "expected \"Content-Length: …\" and an empty line: this is no message "
                "of the Language Server Protocol",
                "`biwa lsp` is started by an editor; docs/editors.md says how.");
        }
        if (SmallLetters(header->substr(0, colon)) == "content-length") {
            length = BIWA_TRY(ReadLength(std::string_view(*header).substr(colon + 1)));
        }
    }
    if (!length) return UserError("a message without Content-Length");
    // In pieces: a length alone shall not take the memory.
    constexpr std::size_t kPiece = 1 << 16;
    std::string message;
    while (message.size() < *length) {
        const auto have = message.size();
        message.resize(std::min(*length, have + kPiece));
        in.read(message.data() + have, static_cast<std::streamsize>(message.size() - have));
        if (static_cast<std::size_t>(in.gcount()) != message.size() - have) {
            return UserError("the input ended inside of a message");
        }
    }
    return message;
}

void WriteMessage(std::ostream& out, std::string_view message) {
    out << "Content-Length: " << message.size() << "\r\n\r\n" << message << std::flush;
}

}  // namespace biwa::lsp
