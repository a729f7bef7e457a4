// Small things about text that every part needs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace biwa {

// "name" with quotes doubled: an identifier for PostgreSQL, DuckDB and Trino alike.
std::string QuoteIdentifier(std::string_view name);
// 'text' with quotes doubled: a string literal (standard_conforming_strings).
std::string QuoteLiteral(std::string_view text);

// The candidate nearest to `name` if it is near enough to have been meant, else "".
std::string DidYouMean(std::string_view name, std::span<const std::string> candidates);

std::vector<std::string> Split(std::string_view text, char separator);
std::string Join(std::span<const std::string> parts, std::string_view separator);
std::string_view Trim(std::string_view text);
// A to Z as a to z, all else as it is: how the warehouse compares names.
std::string SmallLetters(std::string text);
bool IsValidUtf8(std::string_view text);

// "12,361"; "1.5 MB"; "3 min 20 s"
std::string HumanCount(std::int64_t count);
std::string HumanBytes(std::uint64_t bytes);
std::string HumanSeconds(double seconds);

// "postgres://u:secret@h/db" or "password=secret" with the secret replaced by "***".
std::string HidePasswords(std::string_view text);

}  // namespace biwa
