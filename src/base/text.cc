#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace biwa {

namespace {

std::string Quote(std::string_view text, char quote) {
    std::string quoted(1, quote);
    for (const char c : text) {
        if (c == quote) quoted += quote;
        quoted += c;
    }
    quoted += quote;
    return quoted;
}

// Levenshtein distance with a swap of neighbours counted as one (optimal string alignment).
std::size_t EditDistance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    std::iota(last.begin(), last.end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        before.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

}  // namespace

std::string QuoteIdentifier(std::string_view name) { return Quote(name, '"'); }
std::string QuoteLiteral(std::string_view text) { return Quote(text, '\''); }

std::string DidYouMean(std::string_view name, std::span<const std::string> candidates) {
    const std::string* best = nullptr;
    std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        const auto distance = EditDistance(name, candidate);
        if (distance < best_distance) {
            best = &candidate;
            best_distance = distance;
        }
    }
    return best ? *best : std::string();
}

std::vector<std::string> Split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    for (;;) {
        const auto end = text.find(separator, begin);
        parts.emplace_back(text.substr(begin, end - begin));
        if (end == std::string_view::npos) return parts;
        begin = end + 1;
    }
}

std::string Join(std::span<const std::string> parts, std::string_view separator) {
    return fmt::format("{}", fmt::join(parts.begin(), parts.end(), separator));
}

std::string_view Trim(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const auto begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
std::string SmallLetters(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

bool IsValidUtf8(std::string_view text) {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    const auto* end = p + text.size();
    while (p < end) {
        if (*p < 0x80) {
            ++p;
            continue;
        }
        int more = 0;
        unsigned low = 0x80, high = 0xBF;
        if (*p >= 0xC2 && *p <= 0xDF) {
            more = 1;
        } else if (*p >= 0xE0 && *p <= 0xEF) {
            more = 2;
            if (*p == 0xE0) low = 0xA0;
            if (*p == 0xED) high = 0x9F;
        } else if (*p >= 0xF0 && *p <= 0xF4) {
            more = 3;
            if (*p == 0xF0) low = 0x90;
            if (*p == 0xF4) high = 0x8F;
        } else {
            return false;
        }
        if (end - p <= more) return false;
        if (p[1] < low || p[1] > high) return false;
        for (int i = 2; i <= more; ++i) {
            if ((p[i] & 0xC0) != 0x80) return false;
        }
        p += more + 1;
    }
    return true;
}

std::string HumanCount(std::int64_t count) {
    auto digits = fmt::format("{}", count);
    const std::size_t sign = count < 0 ? 1 : 0;
    for (std::size_t i = digits.size(); i > sign + 3;) {
        i -= 3;
        digits.insert(i, ",");
    }
    return digits;
}

std::string HumanBytes(std::uint64_t bytes) {
    constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
        value /= 1000;
        ++unit;
    }
    return unit == 0 || value >= 99.95 ? fmt::format("{:.0f} {}", value, kUnits[unit])
                                       : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string HumanSeconds(double seconds) {
    if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);
    if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<std::int64_t>(seconds + 0.5);
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
    return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

namespace {

constexpr std::string_view kAnySpace = " \t\r\n";

// "scheme://user:secret@": the secret may have any sign but space in it, an @ too.
std::string HideInUrls(std::string_view text) {
    std::string hidden;
    for (;;) {
        const auto slashes = text.find("://");
        if (slashes == std::string_view::npos) return hidden.append(text);
        const auto begin = slashes + 3;
        hidden += text.substr(0, begin);
        text.remove_prefix(begin);
        const auto word = text.substr(0, text.find_first_of(kAnySpace));
        const auto colon = word.find_first_of(":/@");
        const auto at = word.rfind('@');
        if (colon == std::string_view::npos || word[colon] != ':' || at == std::string_view::npos ||
            at < colon) {
            continue;
        }
        hidden.append(text.substr(0, colon + 1)).append("***");
        text.remove_prefix(at);
    }
}

// Where the value that begins there ends: 'quoted', with \\ before a quote in it, or a word.
std::size_t EndOfValue(std::string_view text) {
    if (!text.starts_with('\'')) return std::min(text.size(), text.find_first_of(" \t\r\n&"));
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '\'') {
            return i + 1;
        }
    }
    return text.size();
}

// "password=secret", "PASSWORD = 'a secret'".
std::string HideInWords(std::string_view text) {
    constexpr std::string_view kWord = "password";
    std::string hidden;
    for (;;) {
        const auto found = std::search(
            text.begin(), text.end(), kWord.begin(), kWord.end(), [](char in_text, char in_word) {
                return (in_text >= 'A' && in_text <= 'Z' ? in_text - 'A' + 'a' : in_text) ==
                       in_word;
            });
        if (found == text.end()) return hidden.append(text);
        auto end = static_cast<std::size_t>(found - text.begin()) + kWord.size();
        const auto skip_space = [&] {
            while (end < text.size() && kAnySpace.find(text[end]) != std::string_view::npos) ++end;
        };
        const auto word_end = end;
        skip_space();
        const bool is_setting = end < text.size() && text[end] == '=';
        if (is_setting) {
            ++end;
            skip_space();
        } else {
            end = word_end;
        }
        hidden += text.substr(0, end);
        text.remove_prefix(end);
        if (!is_setting) continue;
        hidden += "***";
        text.remove_prefix(EndOfValue(text));
    }
}

}  // namespace

std::string HidePasswords(std::string_view text) { return HideInWords(HideInUrls(text)); }

}  // namespace biwa
