"""Reports as one HTML page that needs nothing else.

``pictures`` makes the images that a page holds, ``panels``, ``viewer`` and ``command`` what is
said of one, ``section`` puts it together and ``html`` the page around it; ``svg`` draws charts,
``colours`` maps numbers to colours, ``markup`` writes elements, everything escaped. ``page.css``
and ``page.js`` go into the page.
"""
