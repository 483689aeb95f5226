from .declare import Module


class TmContacts(Module):
    pass
