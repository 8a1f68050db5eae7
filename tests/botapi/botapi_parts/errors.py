"""The one way a Bot API method says no.

An `ApiError` becomes exactly what the real server sends: HTTP status equal to
`error_code`, `ok:false`, a description, and where needed `parameters`. What
must stay true: descriptions are the server's own words, since clients match
on them.
"""


class ApiError(Exception):
    def __init__(self, code: int, description: str, parameters: dict | None = None):
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def body(self) -> dict:
        out = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            out["parameters"] = self.parameters
        return out

    def headers(self) -> dict:
        if self.parameters and "retry_after" in self.parameters:
            return {"Retry-After": str(self.parameters["retry_after"])}
        return {}


def bad_request(text: str, parameters: dict | None = None) -> ApiError:
    return ApiError(400, "Bad Request: " + text, parameters)


def forbidden(text: str) -> ApiError:
    return ApiError(403, "Forbidden: " + text)


def conflict(text: str) -> ApiError:
    return ApiError(409, "Conflict: " + text)


def too_many(seconds: int) -> ApiError:
    return ApiError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


def standard(code: int, retry_after: int | None = None) -> ApiError:
    """The usual answer for a status code, for fault injection."""
    if code == 429:
        return too_many(5 if retry_after is None else retry_after)
    words = {
        400: "Bad Request: chat not found",
        401: "Unauthorized",
        403: "Forbidden: bot was blocked by the user",
        404: "Not Found",
        409: "Conflict: terminated by other getUpdates request; "
             "make sure that only one bot instance is running",
        500: "Internal Server Error: restart",
        502: "Bad Gateway",
    }
    return ApiError(code, words.get(code, "Error"))
