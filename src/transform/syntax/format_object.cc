#include "transform/syntax/format_object.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.h"
#include "transform/compile/js_scanner.h"
#include "transform/syntax/js_tokens.h"

namespace biwa::transform {

namespace {

using Kind = JsToken::Kind;

constexpr std::size_t kColumnsMax = 100;

std::size_t CountCharacters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

struct Item;

struct Value {
    char open = 0;  // '{' or '['; 0: `text` as it is
    std::string_view text;
    std::vector<Item> items;
    bool is_broken = false;             // the author began its items on a new line
    std::vector<std::string> comments;  // behind the last item
};

struct Item {
    std::vector<std::string> comments;  // on lines of their own, in front
    bool has_gap = false;               // a blank line in front
    std::string_view key;               // of an object's "key: value"; may be empty
    Value value;
    bool has_comma = false;
    std::string comment;  // behind it, on its line
};

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text), tokens_(ScanJs(text, 0)) {}

    std::optional<Value> ReadAll() {
        if (tokens_.empty() || !tokens_[0].Is('{')) return std::nullopt;
        // What is put behind a string that is not closed would be in it.
        if (!std::all_of(tokens_.begin(), tokens_.end(),
                         [](const JsToken& token) { return token.closed; })) {
            return std::nullopt;
        }
        auto value = ReadValue(0);
        if (!value || at_ != tokens_.size()) return std::nullopt;
        return value;
    }

  private:
    bool AtEnd() const { return at_ >= tokens_.size(); }
    const JsToken& Here() const { return tokens_[at_]; }
    bool IsHere(char mark) const { return !AtEnd() && Here().Is(mark); }

    // How many lines end in the white space here, which is skipped.
    std::size_t SkipSpace() {
        std::size_t lines = 0;
        while (!AtEnd() && Here().kind == Kind::kSpace) {
            lines +=
                static_cast<std::size_t>(std::count(Here().text.begin(), Here().text.end(), '\n'));
            ++at_;
        }
        return lines;
    }

    std::string TakeComment() {
        auto comment = std::string(Trim(Here().text));
        ++at_;
        return comment;
    }

    // An object, an array, or one token.
    std::optional<Value> ReadValue(int depth) {
        if (AtEnd() || depth > kNestingMax) return std::nullopt;
        Value value;
        if (!IsHere('{') && !IsHere('[')) {
            if (Here().kind == Kind::kMark || !Here().closed) return std::nullopt;
            value.text = Here().text;
            ++at_;
            return value;
        }
        value.open = Here().text[0];
        const char close = value.open == '{' ? '}' : ']';
        ++at_;
        for (bool is_first = true;; is_first = false) {
            Item item;
            auto lines = SkipSpace();
            if (is_first) value.is_broken = lines > 0;
            item.has_gap = !is_first && lines > 1;
            while (!AtEnd() && Here().kind == Kind::kComment) {
                value.is_broken = true;
                item.comments.push_back(TakeComment());
                SkipSpace();
            }
            if (AtEnd()) return std::nullopt;
            if (IsHere(close)) {
                ++at_;
                value.comments = std::move(item.comments);
                return value;
            }
            if (!ReadItem(item, value.open == '{', close, depth)) return std::nullopt;
            if (!item.comment.empty()) value.is_broken = true;
            value.items.push_back(std::move(item));
        }
    }

    // With the comma behind it, and a comment that stands behind that on the same line.
    bool ReadItem(Item& item, bool is_of_object, char close, int depth) {
        const auto begin = at_;
        bool is_plain = true;
        if (is_of_object) {
            item.key = Here().text;
            is_plain = Here().kind == Kind::kWord || Here().kind == Kind::kString;
            ++at_;
            SkipSpace();
            is_plain = is_plain && IsHere(':');
            if (is_plain) ++at_;
            SkipSpace();
        }
        if (is_plain) {
            auto value = ReadValue(depth + 1);
            const auto behind = at_;
            if (value) {
                item.value = std::move(*value);
                SkipSpace();
            }
            is_plain = value && !AtEnd() &&
                       (IsHere(',') || IsHere(close) || Here().kind == Kind::kComment);
            at_ = behind;
        }
        if (!is_plain) {
            item.key = {};
            at_ = begin;
            item.value = ReadAsWritten();
            if (item.value.text.empty()) return false;
        }
        return ReadBehind(item);
    }

    // Up to a comma or closing bracket that belongs to what is around.
    Value ReadAsWritten() {
        int open = 0;
        const auto begin = Here().offset;
        auto end = begin;
        for (; !AtEnd(); ++at_) {
            const auto& token = Here();
            if (token.Is('(') || token.Is('[') || token.Is('{')) ++open;
            if (open == 0 && (token.Is(',') || token.Is(')') || token.Is(']') || token.Is('}')))
                break;
            if (token.Is(')') || token.Is(']') || token.Is('}')) --open;
            if (token.kind != Kind::kSpace && token.kind != Kind::kComment) end = token.end();
        }
        // Comments at its end are of what follows.
        while (at_ > 0 && tokens_[at_ - 1].offset >= end) --at_;
        Value value;
        value.text = text_.substr(begin, end - begin);
        return value;
    }

    bool ReadBehind(Item& item) {
        const auto behind = at_;
        SkipSpace();
        if (IsHere(',')) {
            item.has_comma = true;
            ++at_;
        } else {
            at_ = behind;
        }
        const auto line_end = at_;
        if (SkipSpace() > 0 || AtEnd() || Here().kind != Kind::kComment) {
            at_ = line_end;
        } else {
            item.comment = TakeComment();
        }
        // A comment between a value and its comma is beyond this.
        const auto here = at_;
        while (!item.has_comma && !AtEnd() &&
               (Here().kind == Kind::kSpace || Here().kind == Kind::kComment)) {
            ++at_;
        }
        if (!item.has_comma && IsHere(',')) return false;
        at_ = here;
        return true;
    }

    std::string_view text_;
    std::vector<JsToken> tokens_;
    std::size_t at_ = 0;
};

char Close(const Value& value) { return value.open == '{' ? '}' : ']'; }

// On one line; nothing when it cannot be.
std::optional<std::string> OnOneLine(const Value& value) {
    if (value.open == 0) {
        if (value.text.find('\n') != std::string_view::npos) return std::nullopt;
        return std::string(value.text);
    }
    if (value.is_broken || !value.comments.empty()) return std::nullopt;
    std::string line(1, value.open);
    const bool has_room = value.open == '{' && !value.items.empty();
    if (has_room) line += ' ';
    for (std::size_t i = 0; i < value.items.size(); ++i) {
        const auto& item = value.items[i];
        const auto inner = OnOneLine(item.value);
        if (!inner) return std::nullopt;
        if (i > 0) line += ' ';
        if (!item.key.empty()) line += std::string(item.key) + ": ";
        line += *inner;
        if (item.has_comma) line += ',';
    }
    if (has_room) line += ' ';
    return line + Close(value);
}

// `column`: how far the line is written already; `behind`: what stands behind the value on it.
void Put(const Value& value, std::size_t indent, std::size_t column, std::size_t behind,
         std::string& out) {
    const auto line = OnOneLine(value);
    if (line && (value.open == 0 || value.items.empty() ||
                 column + CountCharacters(*line) + behind <= kColumnsMax)) {
        out += *line;
        return;
    }
    if (value.open == 0) {
        out += value.text;
        return;
    }
    out += value.open;
    out += '\n';
    const std::string margin(indent + 2, ' ');
    for (const auto& item : value.items) {
        if (item.has_gap) out += '\n';
        for (const auto& comment : item.comments) out += margin + comment + "\n";
        out += margin;
        auto at = margin.size();
        if (!item.key.empty()) {
            out += item.key;
            out += ": ";
            at += CountCharacters(item.key) + 2;
        }
        Put(item.value, indent + 2, at, item.has_comma ? 1 : 0, out);
        if (item.has_comma) out += ',';
        if (!item.comment.empty()) out += " " + item.comment;
        out += '\n';
    }
    for (const auto& comment : value.comments) out += margin + comment + "\n";
    out += std::string(indent, ' ') + Close(value);
}

}  // namespace

std::string FormatObject(std::string_view text, std::string_view before) {
    const auto object = Reader(text).ReadAll();
    if (!object) return std::string(text);
    std::string out;
    Put(*object, 0, CountCharacters(before), 0, out);
    return out;
}

}  // namespace biwa::transform
