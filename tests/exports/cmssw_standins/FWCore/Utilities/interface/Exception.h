#pragma once
#include <exception>
#include <sstream>
#include <string>

namespace cms {
class Exception : public std::exception {
public:
  explicit Exception(const std::string& category) : message_(category + ": ") {}
  const char* what() const noexcept override { return message_.c_str(); }
  template <typename T>
  friend const Exception& operator<<(const Exception& exception, const T& value) {
    std::ostringstream text;
    text << value;
    exception.message_ += text.str();
    return exception;
  }

private:
  mutable std::string message_;
};
}  // namespace cms
