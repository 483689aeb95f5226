"""The ``uac.reg_*`` commands."""

from __future__ import annotations

import logging
from typing import Any

from ..store.errors import StoreError
from .declare import RpcError, rpc
from .uac_reg import COLUMNS, NUMBERS, TEXTS, Registration, UacReg

__all__ = ["UacRegRpc"]

log = logging.getLogger("ksrcore.uac")


class UacRegRpc(UacReg):
    """A part of the uac module."""

    def _shown(self, reg: Registration) -> dict[str, Any]:
        shown: dict[str, Any] = {name: getattr(reg, name) or "none" for name in TEXTS}
        shown |= {
            "expires": reg.expires,
            "flags": reg.flags,
            "diff_expires": reg.timer_expires - int(self.proxy.wall()),
            "timer_expires": reg.timer_expires,
            "reg_init": reg.reg_init,
            "reg_delay": reg.reg_delay,
            "contact_addr": reg.contact_addr,
            "socket": reg.socket or None,
        }
        return shown

    def _filtered(self, params: list[Any]) -> Registration:
        if len(params) < 2:
            raise RpcError(400, "Invalid Parameters")
        try:
            reg = self._by(str(params[0]), str(params[1]))
        except KeyError:
            raise RpcError(400, "Unsupported filter attribute") from None
        if reg is None:
            raise RpcError(404, "Record not found")
        return reg

    @rpc("uac.reg_dump")
    def rpc_dump(self, params: list[Any]) -> list[dict[str, Any]]:
        """Every registration."""
        return [self._shown(reg) for reg in self.ordered()]

    @rpc("uac.reg_info")
    def rpc_info(self, params: list[Any]) -> dict[str, Any]:
        """Attribute (l_uuid, l_username, r_username or auth_username), value: that registration."""
        return self._shown(self._filtered(params))

    @rpc("uac.reg_enable")
    def rpc_enable(self, params: list[Any]) -> dict[str, Any]:
        """Attribute, value: enable that registration."""
        self._switch(self._filtered(params), True)
        return {}

    @rpc("uac.reg_disable")
    def rpc_disable(self, params: list[Any]) -> dict[str, Any]:
        """Attribute, value: disable that registration."""
        self._switch(self._filtered(params), False)
        return {}

    @rpc("uac.reg_unregister")
    def rpc_unregister(self, params: list[Any]) -> dict[str, Any]:
        """Attribute, value: send a REGISTER with Expires 0."""
        if not self._register(self._filtered(params), 0):
            raise RpcError(500, "Failed to unregister")
        return {}

    @rpc("uac.reg_active")
    def rpc_active(self, params: list[Any]) -> dict[str, int]:
        """0 or 1: whether anything is registered."""
        if not params:
            raise RpcError(500, "Missing parameter")
        old = self.reg_active
        self.reg_active = 1 if str(params[0]).strip() not in ("0", "") else 0
        return {"omode": old, "nmode": self.reg_active}

    @rpc("uac.reg_reload")
    def rpc_reload(self, params: list[Any]) -> dict[str, Any]:
        """Read the table again, at most once in reg_gc_interval seconds."""
        if self._reg_db is None or self.proxy.now - self._loaded < self.reg_gc_interval:
            raise RpcError(500, "Failed to shift records - check log messages")
        try:
            self.registrations = {reg.l_uuid: reg for reg in self._load()}
        except StoreError as error:
            log.error("uac: %s", error)
            raise RpcError(500, "Failed to reload records - check log messages") from None
        self._loaded = self.proxy.now
        return {}

    @rpc("uac.reg_refresh")
    def rpc_refresh(self, params: list[Any]) -> dict[str, Any]:
        """uuid: read that registration from the table again."""
        if not params:
            raise RpcError(400, "Invalid Parameters")
        done = self._refresh(str(params[0]))
        if done == 0:
            raise RpcError(404, "Record not found")
        if done < 0:
            raise RpcError(500, "Failed to refresh record - check log messages")
        return {}

    @rpc("uac.reg_add")
    def rpc_add(self, params: list[Any]) -> dict[str, Any]:
        """The values of a row of uacreg in its order, socket and contact_addr last; '.' for no value."""
        if len(params) < len(COLUMNS):
            raise RpcError(400, "Invalid Parameters")
        values: dict[str, Any] = dict(zip(COLUMNS, params, strict=False))
        for name in NUMBERS:
            text = str(values[name])
            if not text.isascii() or not text.isdigit():
                raise RpcError(400, "Invalid Parameters")
        for name in ("auth_password", "auth_ha1", "contact_addr"):
            if values[name] == ".":
                values[name] = ""
        reg = self._made(values)
        self.registrations.pop(reg.l_uuid, None)
        self.registrations[reg.l_uuid] = reg
        return {}

    @rpc("uac.reg_remove")
    def rpc_remove(self, params: list[Any]) -> dict[str, Any]:
        """uuid: forget that registration."""
        if not params:
            raise RpcError(400, "Invalid Parameters")
        if self.registrations.pop(str(params[0]), None) is None:
            raise RpcError(404, "Record not found")
        return {}
