#include "transform/compile/expression.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>

#include "transform/compile/js_scanner.h"

namespace biwa::transform {

namespace {

using Kind = Expression::Kind;

bool IsNameStart(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' || (c & 0x80) != 0;
}
bool IsNameByte(char c) { return IsNameStart(c) || std::isdigit(static_cast<unsigned char>(c)); }

void AppendUtf8(std::string& text, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

class Parser {
  public:
    Parser(std::string_view text, std::size_t offset) : text_(text), offset_(offset) {}

    Parsed<Expression> ParseAll() {
        auto expression = ParseOne(0);
        if (!expression) return expression;
        SkipSpace();
        if (at_ < text_.size()) return Unsupported(at_);
        return expression;
    }

  private:
    char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    std::size_t Here() const { return offset_ + at_; }

    void SkipSpace() {
        for (;;) {
            while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])))
                ++at_;
            const auto behind = SkipJsComment(text_, at_);
            if (behind == at_) return;
            at_ = behind;
        }
    }

    bool Accept(char c) {
        SkipSpace();
        if (Peek() != c) return false;
        ++at_;
        return true;
    }

    tl::unexpected<Problem> Unsupported(std::size_t at) const {
        constexpr std::size_t kShownMax = 40;
        auto rest = text_.substr(at, text_.find('\n', at) - at);
        if (rest.empty()) return Wrong(offset_ + at, "an expression is missing here");
        std::size_t shown = rest.size();
        if (shown > kShownMax) {
            for (shown = kShownMax; shown > 0 && (rest[shown] & 0xC0) == 0x80;) --shown;
        }
        return Wrong(
            offset_ + at,
            fmt::format("found \"{}{}\", expected a literal, ref(), self(), name(), resolve(), "
                        "incremental(), when() or dataform.projectConfig.vars.NAME; other "
                        "JavaScript goes into ${{…}}, a js block or a file of includes/",
                        rest.substr(0, shown), shown < rest.size() ? "…" : ""));
    }

    Parsed<Expression> ParseOne(int depth) {
        SkipSpace();
        if (depth > kNestingMax) return Wrong(Here(), "this is nested too deep");
        Expression expression;
        expression.offset = Here();
        const char c = Peek();
        if (c == '\'' || c == '"') return ParseString(std::move(expression));
        if (c == '`') return ParseTemplate(std::move(expression), depth);
        if (c == '[') return ParseArray(std::move(expression), depth);
        if (c == '{') return ParseObject(std::move(expression), depth);
        if (c == '-' || c == '.' || std::isdigit(static_cast<unsigned char>(c)))
            return ParseNumber(std::move(expression));
        if (c == '!') {
            ++at_;
            auto operand = ParseOne(depth + 1);
            if (!operand) return operand;
            expression.kind = Kind::kNot;
            expression.items.push_back(std::move(*operand));
            return expression;
        }
        if (IsNameStart(c)) return ParseName(std::move(expression), depth);
        return Unsupported(at_);
    }

    std::string_view ReadWord() {
        const auto begin = at_;
        while (at_ < text_.size() && IsNameByte(text_[at_])) ++at_;
        return text_.substr(begin, at_ - begin);
    }

    // null, true, false, a.b["c"], f(…)
    Parsed<Expression> ParseName(Expression expression, int depth) {
        const auto begin = at_;
        expression.text = ReadWord();
        if (expression.text == "true" || expression.text == "false") {
            expression.kind = Kind::kBool;
            expression.truth = expression.text == "true";
            return expression;
        }
        if (expression.text == "null" || expression.text == "undefined") return expression;
        expression.kind = Kind::kName;
        for (;;) {
            if (Accept('.')) {
                SkipSpace();
                if (!IsNameStart(Peek())) return Unsupported(begin);
                expression.text += '.';
                expression.text += ReadWord();
            } else if (Accept('[')) {
                auto key = ParseOne(depth + 1);
                if (!key) return key;
                if (key->kind != Kind::kString || !Accept(']')) return Unsupported(begin);
                expression.text += '.';
                expression.text += key->text;
            } else if (Accept('(')) {
                expression.kind = Kind::kCall;
                const auto items = ParseItems(expression, ')', depth);
                if (!items) return tl::unexpected(items.error());
                SkipSpace();
                // f()() and f().g are beyond what is understood here.
                if (Peek() == '(' || Peek() == '.' || Peek() == '[') return Unsupported(begin);
                return expression;
            } else {
                return expression;
            }
        }
    }

    // Items parted by commas up to `end`; a comma behind the last is allowed.
    Parsed<void> ParseItems(Expression& expression, char end, int depth) {
        while (!Accept(end)) {
            auto item = ParseOne(depth + 1);
            if (!item) return tl::unexpected(std::move(item).error());
            expression.items.push_back(std::move(*item));
            if (!Accept(',')) {
                if (Accept(end)) return {};
                return Unsupported(at_);
            }
        }
        return {};
    }

    Parsed<Expression> ParseArray(Expression expression, int depth) {
        ++at_;
        expression.kind = Kind::kArray;
        const auto items = ParseItems(expression, ']', depth);
        if (!items) return tl::unexpected(items.error());
        return expression;
    }

    Parsed<Expression> ParseObject(Expression expression, int depth) {
        ++at_;
        expression.kind = Kind::kObject;
        while (!Accept('}')) {
            SkipSpace();
            Expression::Text key{Here(), {}};
            if (Peek() == '\'' || Peek() == '"') {
                auto text = ParseString({});
                if (!text) return text;
                key.text = std::move(text->text);
            } else if (IsNameByte(Peek())) {
                key.text = ReadWord();
            } else {
                return Unsupported(at_);
            }
            if (!Accept(':')) {
                return Wrong(Here(), fmt::format("expected \":\" and a value behind the key \"{}\"",
                                                 key.text));
            }
            if (expression.Find(key.text) != nullptr)
                return Wrong(key.offset, fmt::format("the key \"{}\" is here twice", key.text));
            auto value = ParseOne(depth + 1);
            if (!value) return value;
            expression.keys.push_back(std::move(key));
            expression.items.push_back(std::move(*value));
            if (!Accept(',')) {
                if (Accept('}')) return expression;
                if (at_ >= text_.size())
                    return Wrong(expression.offset, "this object is never closed by \"}\"");
                return Unsupported(at_);
            }
        }
        return expression;
    }

    Parsed<Expression> ParseNumber(Expression expression) {
        const char* begin = text_.data() + at_;
        const char* end = text_.data() + text_.size();
        const auto [behind, error] = std::from_chars(begin, end, expression.number);
        if (error != std::errc() || (behind < end && IsNameByte(*behind))) return Unsupported(at_);
        at_ += static_cast<std::size_t>(behind - begin);
        expression.kind = Kind::kNumber;
        return expression;
    }

    Parsed<Expression> ParseString(Expression expression) {
        const auto begin = at_;
        const char quote = text_[at_++];
        expression.kind = Kind::kString;
        while (at_ < text_.size() && text_[at_] != '\n') {
            if (text_[at_] == quote) {
                ++at_;
                return expression;
            }
            const auto read = ReadCharacter(expression.text);
            if (!read) return tl::unexpected(read.error());
        }
        return Wrong(offset_ + begin,
                     fmt::format("this string is not closed by {} on its line", quote));
    }

    Parsed<Expression> ParseTemplate(Expression expression, int depth) {
        const auto begin = at_++;
        expression.kind = Kind::kTemplate;
        expression.texts.push_back({Here(), {}});
        while (at_ < text_.size()) {
            if (text_[at_] == '`') {
                ++at_;
                if (!expression.items.empty()) return expression;
                expression.kind = Kind::kString;
                expression.text = expression.texts[0].text;
                return expression;
            }
            if (text_.substr(at_, 2) == "${") {
                at_ += 2;
                auto item = ParseOne(depth + 1);
                if (!item) return item;
                if (!Accept('}')) return Unsupported(at_);
                expression.items.push_back(std::move(*item));
                expression.texts.push_back({Here(), {}});
                continue;
            }
            const auto read = ReadCharacter(expression.texts.back().text);
            if (!read) return tl::unexpected(read.error());
        }
        return Wrong(offset_ + begin, "this template literal is never closed by \"`\"");
    }

    std::optional<std::uint32_t> ReadHex(std::size_t digits) {
        std::uint32_t code = 0;
        const auto hex = text_.substr(at_, digits);
        const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
        if (error != std::errc() || hex.size() != digits || end != hex.data() + digits)
            return std::nullopt;
        at_ += digits;
        return code;
    }

    std::optional<std::uint32_t> ReadUnicodeEscape() {
        if (Peek() == '{') {
            const auto end = text_.find('}', at_);
            if (end == std::string_view::npos || end - at_ > 7) return std::nullopt;
            ++at_;
            const auto code = ReadHex(end - at_);
            ++at_;
            return code;
        }
        const auto high = ReadHex(4);
        if (!high || *high < 0xD800 || *high > 0xDBFF) return high;
        // The first half of a character beyond the basic plane: its second half follows.
        if (text_.substr(at_, 2) != "\\u") return std::nullopt;
        at_ += 2;
        const auto low = ReadHex(4);
        if (!low || *low < 0xDC00 || *low > 0xDFFF) return std::nullopt;
        return 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00);
    }

    // One byte of a string or template literal, or one escape.
    Parsed<void> ReadCharacter(std::string& text) {
        const char c = text_[at_++];
        if (c != '\\') {
            text += c;
            return {};
        }
        const auto begin = at_ - 1;
        if (at_ >= text_.size()) return {};
        const char escaped = text_[at_++];
        std::optional<std::uint32_t> code;
        switch (escaped) {
            case 'n':
                text += '\n';
                return {};
            case 't':
                text += '\t';
                return {};
            case 'r':
                text += '\r';
                return {};
            case 'b':
                text += '\b';
                return {};
            case 'f':
                text += '\f';
                return {};
            case 'v':
                text += '\v';
                return {};
            case '\n':
                return {};  // the line goes on
            case 'x':
                code = ReadHex(2);
                break;
            case 'u':
                code = ReadUnicodeEscape();
                break;
            default:
                if (!std::isdigit(static_cast<unsigned char>(escaped))) {
                    text += escaped;
                    return {};
                }
                if (escaped == '0' && !std::isdigit(static_cast<unsigned char>(Peek()))) code = 0;
        }
        if (!code || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
            return Wrong(offset_ + begin, "this is no escape that JavaScript knows");
        AppendUtf8(text, *code);
        return {};
    }

    std::string_view text_;
    std::size_t offset_;
    std::size_t at_ = 0;
};

}  // namespace

const Expression* Expression::Find(std::string_view key) const {
    for (std::size_t i = 0; i < keys.size() && i < items.size(); ++i) {
        if (keys[i].text == key) return &items[i];
    }
    return nullptr;
}

std::string_view Describe(Expression::Kind kind) {
    switch (kind) {
        case Kind::kNull:
            return "null";
        case Kind::kBool:
            return "a boolean";
        case Kind::kNumber:
            return "a number";
        case Kind::kString:
        case Kind::kTemplate:
            return "a string";
        case Kind::kArray:
            return "an array";
        case Kind::kObject:
            return "an object";
        case Kind::kName:
            return "a variable";
        case Kind::kCall:
            return "a call";
        case Kind::kNot:
            return "an expression";
    }
    return "";
}

Parsed<Expression> ParseExpression(std::string_view text, std::size_t offset) {
    return Parser(text, offset).ParseAll();
}

}  // namespace biwa::transform
