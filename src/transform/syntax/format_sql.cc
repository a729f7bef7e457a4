#include "transform/syntax/format_sql.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace biwa::transform {

namespace {

using Kind = SqlToken::Kind;

constexpr std::size_t kStep = 2;

struct Line {
    std::vector<SqlToken> tokens;  // the first is no white space, nor is the last
    bool has_gap = false;          // a blank line in front

    bool IsSeparator() const { return tokens[0].kind == Kind::kSeparator; }
    // That the line's place depends on; nullptr in a line of comments.
    const SqlToken* First() const {
        for (const auto& token : tokens) {
            if (token.kind != Kind::kSpace && !token.IsComment()) return &token;
        }
        return nullptr;
    }
};

std::vector<Line> SplitLines(const std::vector<SqlToken>& tokens) {
    std::vector<Line> lines;
    Line line;
    const auto end_line = [&] {
        while (!line.tokens.empty() && line.tokens.back().kind == Kind::kSpace)
            line.tokens.pop_back();
        if (line.tokens.empty()) return;
        lines.push_back(std::move(line));
        line = {};
    };
    for (const auto& token : tokens) {
        if (token.kind == Kind::kSpace) {
            const auto breaks = std::count(token.text.begin(), token.text.end(), '\n');
            if (breaks > 0) end_line();
            if (breaks > 1) line.has_gap = true;
            if (line.tokens.empty()) continue;
        }
        if (token.kind == Kind::kSeparator) {
            end_line();
            line.has_gap = true;
        }
        line.tokens.push_back(token);
        if (token.kind == Kind::kSeparator) {
            end_line();
            line.has_gap = true;
        }
    }
    end_line();
    return lines;
}

bool IsOneOf(std::string_view word, const auto& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

class Layout {
  public:
    explicit Layout(std::size_t indent) : margin_(indent) { Restart(); }

    std::string Write(const std::vector<Line>& lines) {
        std::string out;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const auto& line = lines[i];
            if (i > 0) out += line.has_gap ? "\n\n" : "\n";
            if (line.IsSeparator()) Restart();
            const auto indent = line.IsSeparator() ? margin_ : IndentOf(lines, i);
            out.append(indent, ' ');
            for (const auto& token : line.tokens) {
                out += token.kind == Kind::kLineComment ? TrimEnd(token.text) : token.text;
            }
            for (std::size_t k = 0; k < line.tokens.size(); ++k) Follow(line.tokens, k, indent);
        }
        return out;
    }

  private:
    // What is open: the statement itself, a bracket, a CASE.
    struct Frame {
        char close = 0;           // 'E' of a CASE
        std::size_t margin = 0;   // of its lines
        std::size_t outside = 0;  // the indentation of the line on which it opens
        std::size_t further = 0;  // of a clause's other lines, than the margin
    };

    static std::string_view TrimEnd(std::string_view text) {
        return text.substr(0, text.find_last_not_of(" \t\r") + 1);
    }

    void Restart() { frames_ = {Frame{0, margin_, margin_, 0}}; }

    static std::string WordAt(const std::vector<SqlToken>& tokens, std::size_t at) {
        return tokens[at].kind == Kind::kWord ? SmallLetters(std::string(tokens[at].text)) : "";
    }
    static std::string WordBehind(const std::vector<SqlToken>& tokens, std::size_t at) {
        for (++at; at < tokens.size(); ++at) {
            if (tokens[at].kind != Kind::kSpace) return WordAt(tokens, at);
        }
        return "";
    }

    // A word that begins a clause.
    bool IsClause(const std::vector<SqlToken>& tokens, std::size_t at) const {
        static constexpr std::array<std::string_view, 27> kAlways = {
            "with",  "select", "from",    "where",     "having", "qualify",  "window",
            "limit", "offset", "union",   "intersect", "except", "join",     "values",
            "set",   "insert", "update",  "delete",    "create", "alter",    "drop",
            "merge", "pivot",  "unpivot", "returning", "copy",   "summarize"};
        static constexpr std::array<std::string_view, 10> kOfJoin = {
            "left",    "right", "full",       "inner", "cross",
            "natural", "asof",  "positional", "semi",  "anti"};
        if (at > 0 && tokens[at - 1].Is('.')) return false;
        const auto word = WordAt(tokens, at);
        if (word.empty()) return false;
        if (frames_.back().close == 'E') return word == "when" || word == "else";
        if (IsOneOf(word, kAlways)) return true;
        const auto next = WordBehind(tokens, at);
        if (word == "group" || word == "order") return next == "by";
        return IsOneOf(word, kOfJoin) &&
               (next == "join" || next == "outer" || IsOneOf(next, kOfJoin));
    }

    static bool IsWhen(const SqlToken& token) {
        return token.kind == Kind::kPlaceholder &&
               Trim(token.text.substr(std::min<std::size_t>(2, token.text.size())))
                   .starts_with("when(");
    }

    bool Closes(const SqlToken& token) const {
        if (token.kind == Kind::kWord)
            return frames_.back().close == 'E' && SmallLetters(std::string(token.text)) == "end";
        return token.Is(')') || token.Is(']') || token.Is('}');
    }

    std::size_t IndentOf(const std::vector<Line>& lines, std::size_t at) const {
        const bool is_comment = lines[at].First() == nullptr;
        while (at < lines.size() && lines[at].First() == nullptr) ++at;
        const auto& frame = frames_.back();
        if (at == lines.size() || lines[at].IsSeparator()) return frame.margin;
        const auto& tokens = lines[at].tokens;
        const auto* first = lines[at].First();
        if (Closes(*first)) {
            return is_comment ? frame.margin + frame.further : OutsideOf(tokens);
        }
        const auto place = static_cast<std::size_t>(first - tokens.data());
        const bool is_clause = IsClause(tokens, place) || IsWhen(*first);
        return is_clause ? frame.margin : frame.margin + frame.further;
    }

    // Of a line that begins by closing: where the last of what it so closes was opened.
    std::size_t OutsideOf(const std::vector<SqlToken>& tokens) const {
        auto frame = frames_.size() - 1;
        auto outside = frames_.back().outside;
        for (const auto& token : tokens) {
            if (token.kind == Kind::kSpace || token.IsComment()) continue;
            const bool is_end = frames_[frame].close == 'E' && token.kind == Kind::kWord &&
                                SmallLetters(std::string(token.text)) == "end";
            const bool is_mark = token.kind == Kind::kMark && token.text[0] == frames_[frame].close;
            if (frame == 0 || (!is_end && !is_mark)) break;
            outside = frames_[frame--].outside;
        }
        return outside;
    }

    void Follow(const std::vector<SqlToken>& tokens, std::size_t at, std::size_t indent) {
        const auto& token = tokens[at];
        if (token.Is('(') || token.Is('[') || token.Is('{')) {
            const char close = token.Is('(') ? ')' : token.Is('[') ? ']' : '}';
            frames_.push_back({close, indent + kStep, indent, 0});
        } else if (WordAt(tokens, at) == "case" && (at == 0 || !tokens[at - 1].Is('.'))) {
            frames_.push_back({'E', indent + kStep, indent, 0});
        } else if (Closes(token)) {
            Pop(token.kind == Kind::kWord ? 'E' : token.text[0]);
        } else if (token.Is(';') && frames_.size() == 1) {
            Restart();
        } else if (IsClause(tokens, at)) {
            // Behind "WITH a AS (…)," the next one stands below the WITH.
            const bool is_first_cte = WordAt(tokens, at) == "with" && at + 1 < tokens.size();
            frames_.back().further = is_first_cte ? 0 : kStep;
        } else if (IsWhen(token) && frames_.back().further == 0 && frames_.size() == 1) {
            frames_.back().further = kStep;
        }
    }

    // With what was opened inside of it and not closed.
    void Pop(char close) {
        for (auto i = frames_.size(); i-- > 1;) {
            if (frames_[i].close != close) continue;
            frames_.resize(i);
            return;
        }
    }

    const std::size_t margin_;
    std::vector<Frame> frames_;
};

}  // namespace

std::string FormatSql(const std::vector<SqlToken>& tokens, std::size_t indent) {
    return Layout(indent).Write(SplitLines(tokens));
}

}  // namespace biwa::transform
