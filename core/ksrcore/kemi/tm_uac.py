from .declare import Module


class TmUac(Module):
    pass
