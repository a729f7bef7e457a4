// file: URIs, as editors name files by.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace biwa::lsp {

// Nothing for what is no file of this machine ("untitled:…", "git:…").
std::optional<std::filesystem::path> PathOfUri(std::string_view uri);
std::string UriOfPath(const std::filesystem::path& path);

}  // namespace biwa::lsp
