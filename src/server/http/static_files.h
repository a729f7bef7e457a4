// The web page's files, from memory.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "server/http/message.h"

namespace biwa::http {

// One file; everything it views lives as long as the program.
struct StaticFile {
    std::string_view path;  // "/index.html"
    std::string_view content_type;
    std::string_view content;
    std::string_view gzip;   // the content compressed; empty where that does not pay
    bool immutable = false;  // its name changes with its content
};

class StaticFiles {
  public:
    explicit StaticFiles(std::span<const StaticFile> files);

    // A path without a file gets index.html, because the page's own addresses are not files; but
    // not a path whose last part has a dot. 304 when the caller's copy is still good.
    Response Find(const Request& request) const;

  private:
    struct Entry {
        StaticFile file;
        std::string etag;
    };
    std::unordered_map<std::string_view, Entry> entries_;
};

}  // namespace biwa::http
