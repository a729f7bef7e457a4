// The text of a definition file, laid out: it stays the same to the compiler's lexer, white space
// aside, and laying it out again changes nothing. The outline under it loses no byte.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "transform/compile/sqlx_lexer.h"
#include "transform/syntax/format.h"
#include "transform/syntax/sqlx_outline.h"

namespace {

using namespace biwa::transform;

void CheckOutline(const std::string& text) {
    std::string all;
    for (const auto& section : OutlineSqlx(text)) {
        BIWA_CHECK(section.offset == all.size());
        all += section.text;
        std::string body;
        for (const auto& token : section.sql) {
            BIWA_CHECK(token.offset == section.body_offset() + body.size());
            body += token.text;
        }
        BIWA_CHECK(!section.HoldsSql() || body == section.body);
    }
    BIWA_CHECK(all == text);
}

// What the compiler sees: statements and their placeholders, without white space around.
std::string Seen(const std::string& text) {
    const auto file = LexSqlx(text);
    BIWA_CHECK(file.has_value());
    std::string seen = file->config ? "config " : "";
    for (const auto& js : file->js) seen += std::string(js.text) + "\n";
    const auto add = [&](const std::vector<SqlStatement>& statements) {
        seen += "[";
        for (const auto& statement : statements) {
            for (const auto& part : statement) {
                for (const char c : part.source.text) {
                    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') seen += c;
                }
                seen += part.kind == SqlPart::Kind::kPlaceholder ? "}" : "";
            }
            seen += ";";
        }
        seen += "]";
    };
    add(file->statements);
    add(file->pre_operations);
    add(file->post_operations);
    return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    CheckOutline(text);
    const auto formatted = FormatSqlx(text);
    if (!formatted) {
        BIWA_CHECK(!formatted.error().message.empty());
        BIWA_CHECK(formatted.error().offset <= text.size());
        // The check that guards against this layout's own mistakes has found one.
        BIWA_CHECK(formatted.error().message.find("please report") == std::string::npos);
        return 0;
    }
    BIWA_CHECK(MeansTheSame(text, *formatted));
    BIWA_CHECK(Seen(text) == Seen(*formatted));
    const auto again = FormatSqlx(*formatted);
    BIWA_CHECK(again.has_value() && *again == *formatted);
    return 0;
}
